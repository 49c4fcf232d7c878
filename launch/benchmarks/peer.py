"""The trainer against PureJaxRL's PPO: the same task, network and interactions in one run.

The peer is an unmodified checkout of its repository (this repository has none of its code):

    git clone https://github.com/luchris429/purejaxrl peer
    pip install distrax gymnax
    python -m launch.bench --against=purejaxrl --peer=peer

Its `purejaxrl/ppo.py` is loaded from there. Its `gymnax.make` returns our environment from
`mnist_horizon.adapters.make_gymnax`, with the data set as an argument of the compiled program; its
wrappers read the five values of gymnax 0.x's `step`, so `terminated | truncated` is given as
`done`. Brax, which its wrappers import for other environments, may be absent.

Both do PPO with the same network (784-64-64-10, and another 784-64-64-1 for values), environments,
steps, epochs, minibatches, clip, discount, lambda, learning rate and entropy bonus, without
evaluations. The remaining differences: the peer clips gradients and values, normalises advantages
in each minibatch and keeps its environments' logs, and its activation is the ReLU for our leaky
one; both are compiled beforehand. Several runs are one `vmap` of the peer over seeds, and a program
of as many seeds here, which on a CPU uses every core as a device.
"""

import functools
import importlib
import importlib.util
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
from jax import Array

from launch.benchmarks import cases
from launch.benchmarks.turns import speeds_in_turn
from mnist_horizon import adapters, environment
from mnist_horizon.errors import SweepError
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.schedules import parse
from mnist_horizon.sweeps import SweepSpec, spec_from
from mnist_horizon.sweeps.plan import Program, Variant
from mnist_horizon.tasks import Task

WIDTH, DEPTH = 64, 2
HORIZON, GAE_LAMBDA, LEARNING_RATE, ENTROPY_COEF = 15.0, 0.95, 2.5e-4, 0.01
EPOCHS, MINIBATCHES, CLIP = 4, 4, 0.2


def compare(
    peer: Path,
    task: Task,
    interactions: int,
    counts: Sequence[int],
    layouts: Sequence[tuple[int, int]],
) -> list[dict[str, Any]]:
    """Rows of the table: for each layout and number of runs, the peer's and ours.

    Args:
        peer: the checkout of the peer.
        task: data of MNIST's shape.
        interactions: of each run.
        counts: numbers of runs trained together.
        layouts: environments x steps per update.

    Raises:
        SweepError: the checkout is not there, or it cannot be loaded; a layout is impossible.
    """
    specs = {layout: spec(layout) for layout in layouts}
    ppo = load(peer)
    rows = []
    for layout in layouts:
        for count in counts:
            theirs, their_seconds = _peer(ppo, layout, task, interactions, count)
            ours, our_seconds = _ours(specs[layout], task, interactions, count)
            speeds = speeds_in_turn({"purejaxrl": theirs, "mnist_horizon": ours})
            seconds = {"purejaxrl": their_seconds, "mnist_horizon": our_seconds}
            slow = speeds["purejaxrl"]["interactions_per_second"]
            for name, row in speeds.items():
                rows.append(
                    {
                        "environments": layout[0],
                        "steps": layout[1],
                        "runs": count,
                        "trainer": name,
                        **row,
                        "ratio": row["interactions_per_second"] / slow,
                        "compile_seconds": seconds[name],
                    }
                )
    return rows


def load(peer: Path) -> ModuleType:
    """The peer's `purejaxrl.ppo`, as it is in its checkout.

    Raises:
        SweepError: it is not there, or something that it imports is missing.
    """
    file = peer / "purejaxrl" / "ppo.py"
    if not file.is_file():
        raise SweepError(
            f"--peer: {file} is not there: git clone https://github.com/luchris429/purejaxrl "
            "into a folder and name it"
        )
    if importlib.util.find_spec("brax") is None:
        brax = ModuleType("brax")
        brax.__dict__["envs"] = ModuleType("brax.envs")
        sys.modules["brax"] = brax
    sys.path.insert(0, str(peer.resolve()))
    try:
        return importlib.import_module("purejaxrl.ppo")
    except ImportError as error:
        raise SweepError(f"--peer: {file} needs a package that is not installed: {error}") from None
    finally:
        sys.path.pop(0)


def spec(layout: tuple[int, int]) -> SweepSpec:
    """Our PPO, set as the peer's."""
    environments, steps = layout
    return spec_from(
        {
            "task": {"name": "mnist"},
            "network": {"name": "mlp", "depth": DEPTH},
            "widths": (WIDTH,),
            "horizons": (HORIZON,),
            "seeds": 1,
            "budget": 1000 * environments * steps,
            "batch": {"environments": environments, "rollout_length": steps},
            "algorithm": {
                "name": "ppo",
                "gae_lambda": GAE_LAMBDA,
                "epochs": EPOCHS,
                "minibatches": MINIBATCHES,
                "clip": CLIP,
            },
            "baseline": "value_net",
            "optimizer": {"learning_rates": (LEARNING_RATE,)},
            "entropy_coef": ENTROPY_COEF,
        }
    )


def peer_settings(layout: tuple[int, int], interactions: int) -> dict[str, Any]:
    """The peer's PPO, set as ours."""
    return {
        "LR": LEARNING_RATE,
        "NUM_ENVS": layout[0],
        "NUM_STEPS": layout[1],
        "TOTAL_TIMESTEPS": interactions,
        "UPDATE_EPOCHS": EPOCHS,
        "NUM_MINIBATCHES": MINIBATCHES,
        "GAMMA": discount_from_horizon(HORIZON),
        "GAE_LAMBDA": GAE_LAMBDA,
        "CLIP_EPS": CLIP,
        "ENT_COEF": ENTROPY_COEF,
        "VF_COEF": 0.5,
        "MAX_GRAD_NORM": 0.5,
        "ACTIVATION": "relu",
        "ENV_NAME": "mnist_horizon",
        "ANNEAL_LR": False,
    }


class FiveValues:
    """A gymnax 1.x environment whose `step` returns five values, as gymnax 0.x's does."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def step(self, key: Array, state: Any, action: Array, params: Any = None) -> tuple[Any, ...]:
        """`(observation, state, reward, done, info)`."""
        *rest, terminated, truncated, info = self._env.step(key, state, action, params)
        return *rest, terminated | truncated, info


def _peer(
    ppo: ModuleType, layout: tuple[int, int], task: Task, interactions: int, count: int
) -> tuple[Callable[[], float], float]:
    """Measures the speed of the peer's whole training; the seconds that its compilation took."""
    settings = peer_settings(layout, interactions)

    def make(_: str, task: Task) -> tuple[Any, Any]:
        params = environment.make_params(parse("dense"), settings["GAMMA"])
        env, env_params = adapters.make_gymnax(task, params)
        return FiveValues(env), env_params

    def train(keys: Array, task: Task) -> Any:
        ppo.__dict__["gymnax"] = SimpleNamespace(make=functools.partial(make, task=task))
        train_one: Callable[[Array], Any] = ppo.make_train(dict(settings))
        return train_one(keys[0]) if count == 1 else jax.vmap(train_one)(keys)

    keys = jax.random.split(jax.random.PRNGKey(0), count)  # the peer uses raw keys
    started = time.perf_counter()
    compiled = jax.jit(train).lower(keys, task).compile()
    compile_seconds = time.perf_counter() - started
    done = count * (interactions // math.prod(layout)) * math.prod(layout)
    jax.block_until_ready(compiled(keys, task))

    def speed() -> float:
        started = time.perf_counter()
        jax.block_until_ready(compiled(keys, task))
        return done / (time.perf_counter() - started)

    return speed, compile_seconds


def _ours(
    spec: SweepSpec, task: Task, interactions: int, count: int
) -> tuple[Callable[[], float], float]:
    """The same for our updates."""
    variant = Variant(HORIZON, parse("dense"), LEARNING_RATE)
    program = Program("bench", WIDTH, tuple(range(count)), (variant,))
    updates = cases.Updates(spec, program, task, jax.device_count())
    number = interactions // spec.batch_size
    updates.run(1)
    return (
        lambda: count * number * spec.batch_size / updates.run(number),
        updates.compile_seconds,
    )
