"""Chips that are not here: their names, their rooflines, and programs compiled for them.

The slow tests compile what users launch, and skip where the compiler of a chip is not installed.
"""

from importlib import util

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from launch.configs import horizon, paper, smoke
from mnist_horizon import devices
from mnist_horizon.devices import memory, targets
from mnist_horizon.devices.hlo import Module
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import compiling, plan, spec_from
from mnist_horizon.tasks import Examples, Task
from tests.mnist_horizon.devices.test_hlo import GPU

CONFIGS = {"smoke": smoke, "horizon": horizon, "paper": paper}
CASES = {
    "smoke": ("smoke", 8, {}),
    "horizon": ("horizon", 40, {}),
    "wide": ("horizon", 405, {"seeds": 16}),
    "tf32": ("horizon", 128, {"precision": "tf32"}),
    "paper in bf16": ("paper", 100, {"precision": "bf16"}),
    "ppo": (
        "horizon",
        40,
        {"algorithm": {"name": "ppo", "epochs": 2, "minibatches": 4}, "noise": {"samples": 0}},
    ),
    "cnn": ("horizon", 13, {"network": {"name": "cnn", "depth": 2}, "noise": {"samples": 0}}),
}
"""Config, width and what else differs."""
PRECISIONS = {"f32": ("highest", "f32"), "tf32": ("high", "f32"), "bf16": ("default", "bf16")}
"""Of a compiled product: what was asked for, and the type of its factors."""


@pytest.mark.parametrize("text", ["h100", "a100:1", "h200:8", "v5e:4", "v5p:5", "v6e:256"])
def test_a_target_is_a_chip_and_a_count(text):
    target = targets.parse(text)
    name, _, count = text.partition(":")
    assert (target.chip.name, target.count) == (name, int(count or 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpu", "--target: 'tpu': choose among v5e, v5p, v6e, a100, h100, h200"),
        ("h100:0", "--target: 'h100:0': after the colon must be a number of chips"),
        ("h100:x", "--target: 'h100:x': after the colon"),
        ("v5e:512", "--target: v5e has at most 256 chips here, not 512"),
    ],
)
def test_an_impossible_target_is_refused(text, message):
    with pytest.raises(SweepError, match=message):
        targets.parse(text)


def test_a_compiler_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(targets.util, "find_spec", lambda name: None)
    targets._devices.cache_clear()
    with pytest.raises(SweepError, match=r"libtpu .* is not installed: pip install .*\[tpu\]"):
        targets.parse("v5e").devices()
    with pytest.raises(SweepError, match=r"jax_cuda12_plugin .*\[cuda\]"):
        targets.parse("h100").devices()


def test_a_roofline_is_the_slowest_of_three_for_each_kernel():
    module, chip = Module(GPU), targets.CHIPS["h100"]
    times = [
        max(0.0, 4 * (512 * 784 + 512) + 512 * 784) / chip.bandwidth,
        2 * 512 * 784 * 64 / chip.flops["f32"],
        2 * 512 * 784 * 64 / chip.flops["f32"],
        *[2 * 4 * 512 * 64 / chip.bandwidth] * 4,
    ]
    launch = chip.launch_seconds
    expected = sum(max(seconds, launch) for seconds in times)
    assert targets.seconds(module, chip, "f32") == pytest.approx(expected, rel=0.01)
    assert targets.seconds(module, chip, "bf16") <= targets.seconds(module, chip, "f32")
    assert targets.seconds(module, chip, "f32") >= module.count() * launch


def compiled(name, target):
    """The spec, its program and shapes of its task, and its functions compiled for a target."""
    config, width, changes = CASES[name]
    settings = CONFIGS[config].get_config().to_dict()
    for key, value in changes.items():
        settings[key] = {**settings[key], **value} if isinstance(value, dict) else value
    spec = spec_from({**settings, "widths": (width,)})
    side = 8 if config == "smoke" else 28

    def split(count):
        images = jax.ShapeDtypeStruct((count, side, side), np.uint8)
        return Examples(images, jax.ShapeDtypeStruct((count,), np.int32))

    task = Task(split(60_000), split(10_000), 10)
    (program,) = plan.plan(spec, (), plan.memory_by_width(spec, task))
    chips = targets.parse(target).devices()
    layout = devices.choose_layout(len(program.seeds), len(program.variants), len(chips))
    code = compiling.code(spec, program, task, layout, chips)
    names = {"update", "evaluate", "measure"} & code.jobs.keys()
    return spec, task, layout, {each: code.jobs[each]() for each in sorted(names)}


@pytest.fixture
def compile_for_real(monkeypatch):
    """Not from a cache; JAX asks only once, when it first compiles, whether there is one."""
    before = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", before)
    compilation_cache.reset_cache()


GPU_ALONE = {"ppo", "cnn", "wide"}
"""A TPU's compiler takes minutes for the first two; for the third it copies the images into the
core's memory in every update, as `docs/accelerators.md` says."""
AS_FORECAST = {("wide", "h100:2"), ("paper in bf16", "v5e:2")}
"""Large programs whose memory is the forecast's. A GPU's fused kernels need less for an MLP without
noise, a CNN and PPO, and all small programs: there it is an upper bound."""
PAIRS = [(name, "h100:2") for name in CASES]
PAIRS += [(name, "v5e:2") for name in CASES if name not in GPU_ALONE]


@pytest.mark.slow
@pytest.mark.usefixtures("compile_for_real")
@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_programs_compile_for_chips(name, target):
    """Memory as forecast, no collective, f64, host call or copy of the data, products as asked."""
    package, extra = targets.EXTRAS[targets.parse(target).chip.platform]
    if util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: the extra {extra} brings it")
    spec, task, layout, functions = compiled(name, target)
    modules = {each: Module(function.as_text()) for each, function in functions.items()}
    for each, module in modules.items():
        assert module.kernels, each
        assert not module.collectives(), each
        assert not module.host_calls(), each
        assert not module.has_type("f64"), each
        for split in (task.train, task.test):
            assert not module.writes(split.images.size), each
    asked, dtype = PRECISIONS[spec.precision]
    products = [
        product
        for kernel in modules["update"].kernels
        for product in modules["update"].products(kernel)
    ]
    found = {(*product.types, product.precision) for product in products}
    own = (dtype, dtype, asked)
    assert own in found
    assert found <= {own, ("f32", "f32", "highest")}, "also of both factors"
    found = layout.devices * memory.program_bytes(functions, task)
    need = plan.memory_of_width(spec, spec.widths[0], task)
    forecast = need.total(layout.groups, layout.runs_per_group)
    forecast += layout.devices * memory.data_bytes(task)
    print(f"memory of {name} on {target}: {found / 1e6:.0f} MB, forecast {forecast / 1e6:.0f} MB")
    assert found < 1.2 * forecast
    if (name, target) in AS_FORECAST:
        assert found > 500e6
        assert found > 0.8 * forecast
