"""The README's examples run as they are written there."""

import re
from pathlib import Path
from typing import Any

import jax

from mnist_horizon import cli, tasks
from mnist_horizon.results import SCHEMA, read_results
from mnist_horizon.sweeps import runner
from mnist_horizon.sweeps.spec import spec_from
from tests.mnist_horizon.test_adapters import needs_gymnax

README = Path(__file__).parent.parent / "README.md"


def code_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_a_new_task_takes_thirty_lines_and_learns(tmp_path: Path) -> None:
    (block,) = [block for block in code_blocks() if "@register" in block]
    lines = [line for line in block.splitlines() if line.strip()]
    assert len(lines) <= 30
    namespace: dict[str, object] = {"__name__": "parity"}
    exec(compile(block, str(tmp_path / "parity.py"), "exec"), namespace)
    spec = spec_from(cli.settings_of(namespace["get_config"]()))  # type: ignore[operator]
    runner.run_sweep(spec, tmp_path / "run", tasks.load(spec.task, spec.task_settings))
    frame = read_results(tmp_path / "run").frame
    last = frame.sort_values("interactions").groupby("run_id").tail(1)
    assert len(last) == 12
    assert last.return_mean[last.horizon == 1].min() > 0.9, "parity of two digits is learnt"


@needs_gymnax
def test_the_adapters_are_made_as_written() -> None:
    (block,) = [block for block in code_blocks() if "make_gymnax" in block]
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    assert namespace["envs"].num_envs == 16
    key = jax.random.key(0)
    observation, _ = namespace["env"].reset(key, namespace["env_params"])
    assert observation.shape == (8, 8)


def test_every_column_is_explained() -> None:
    table = re.search(r"\| columns of a row .*?\n\n", README.read_text(), re.DOTALL)
    assert table is not None
    rows = [row.split("|")[1] for row in table[0].splitlines() if row]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(SCHEMA.names)


def test_commands_that_the_readme_names_exist() -> None:
    text = README.read_text()
    for module in set(re.findall(r"python -m ((?:launch|analysis)\.\w+)", text)):
        path = README.parent / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for path in set(re.findall(r"launch/configs/\w+\.py|docs/\w+\.png|launch/\w+\.md", text)):
        assert (README.parent / path).exists(), path
