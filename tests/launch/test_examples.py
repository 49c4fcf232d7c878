"""The small experiments name configs, sections and figures that exist."""

from pathlib import Path

import pytest

from launch import examples
from launch.examples import EXAMPLES
from tests.launch import commands

ANALYSIS = Path(examples.__file__).parents[1] / "analysis"


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_config_section_and_figure_exist(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]
    for config, *_ in example.sweeps.values():
        assert (examples.CONFIGS / config.partition(":")[0]).exists()
    if example.command == "analysis.report":
        places = (ANALYSIS / "page" / "questions").glob("*.py")
        sources = "".join(path.read_text() for path in places)
        assert f'"{example.section}"' in sources
        assert f'"{example.figure}' in sources
    else:
        name = example.command.removeprefix("analysis.")
        assert (ANALYSIS / f"{name}.py").exists()
        assert (example.section, example.figure) == (name.replace("_", "-"), name)
    *sweeps, report = examples.commands(name, tmp_path)
    assert [one[0] for one in sweeps] == ["launch.sweep"] * len(example.sweeps)
    assert report[0] == example.command
    assert report[-1] == f"--out={tmp_path / 'reports' / name}"
    assert not any("{out}" in flag for command in (*sweeps, report) for flag in command)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    done = commands.run(tmp_path, "nothing", module="launch.examples")
    assert done.process.exitcode == 2
    assert "'nothing': choose among quickstart," in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_two_examples_end_on_one_page(tmp_path: Path) -> None:
    out = tmp_path / "examples"
    done = commands.run(tmp_path, "bits", "entropy", f"--out={out}", module="launch.examples")
    assert done.process.exitcode == 0, done.err
    page = (out / "index.html").read_text()
    assert page.count("<section>") == 2
    assert "interactions_against_bits" in page
    assert "entropy_course" in page
