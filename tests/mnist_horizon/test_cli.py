"""What is wrong with a command's input is one line and exit code 2."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import ml_collections
import pytest
from absl import flags

from mnist_horizon import cli
from mnist_horizon.errors import InputError, SweepError


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **options: bool) -> tuple[object, list]:
    """The exit code of a command that fails on `wrong` and `bad`, and what it was given."""
    given: list[str] = []

    def main(argv: Sequence[str]) -> int:
        given.extend(argv[1:])
        if "bad" in given:
            raise SweepError("widths: two\n  lines")
        if "flag" in given:
            raise flags.IllegalFlagValueError("--speed: too fast")
        return cli.FAILED if "fail" in given else cli.DONE

    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    alone = lambda main, flags_parser: main(flags_parser(sys.argv))  # noqa: E731
    monkeypatch.setattr(cli.app, "run", alone)
    with pytest.raises(SystemExit) as ended:
        cli.run(main, **options)
    return ended.value.code, given


def test_a_command_ends_with_its_own_code_and_is_given_its_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(monkeypatch) == (cli.DONE, [])
    assert run(monkeypatch, "a", "fail", takes_arguments=True) == (cli.FAILED, ["a", "fail"])


def test_no_display_and_no_letter_of_another_script_stops_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPLBACKEND", "module://of_a_notebook")
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, "ascii"))
    run(monkeypatch)
    assert os.environ["MPLBACKEND"] == "agg"
    print("数", end="", flush=True)
    assert told.getvalue() == b"\\u6570"


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/them")
    assert cli.folder("~/runs/a~b") == Path("/home/of/them/runs/a~b")
    assert cli.folder("runs") == Path("runs")


@pytest.mark.parametrize(
    ("argument", "line"),
    [("bad", "error: widths: two lines\n"), ("flag", "error: --speed: too fast\n")],
)
def test_bad_input_is_one_line(
    argument: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, argument, takes_arguments=True) == (cli.BAD_INPUT, [argument])
    assert capsys.readouterr().err == line


def test_arguments_are_refused_where_none_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "quickly") == (cli.BAD_INPUT, [])
    assert capsys.readouterr().err.startswith("error: unexpected argument 'quickly': flags are")


def test_an_unknown_flag_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--speed=3") == (cli.BAD_INPUT, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert "speed" in line


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("ValueError: not on Sundays", "error: ValueError: not on Sundays\n"),
        ("mnist_horizon.errors.SweepError: --config: so", "error: --config: so\n"),
    ],
)
def test_of_a_traceback_in_a_message_the_last_line_is_said(
    last: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"cannot read\nTraceback (most recent call last):\n  File x\n{last}\n"
    with pytest.raises(SystemExit):
        cli.refuse(ValueError(text))
    assert capsys.readouterr().err == said


def test_the_settings_of_a_config_are_a_dict() -> None:
    config = ml_collections.ConfigDict({"seeds": 2, "task": {"name": "digits"}})
    assert cli.settings_of(config) == {"seeds": 2, "task": {"name": "digits"}}
    with pytest.raises(InputError, match="--config: name a sweep"):
        cli.settings_of(None)
    with pytest.raises(InputError, match="must return a ConfigDict"):
        cli.settings_of({"seeds": 2})
