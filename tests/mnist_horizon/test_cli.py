"""What is wrong with a command's input is one line and exit code 2."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import ml_collections
import pytest
from absl import flags

from mnist_horizon import cli, terminal
from mnist_horizon.errors import InputError, SweepError


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **options: bool) -> tuple[object, list]:
    """The exit code of a command that fails on `wrong` and `bad`, and what it was given."""
    given: list[str] = []

    def main(argv: Sequence[str]) -> int:
        given.extend(argv[1:])
        if "bad" in given:
            raise SweepError("widths: two\n  lines")
        if "stop" in given:
            raise KeyboardInterrupt
        if "defect" in given:
            raise ZeroDivisionError("nobody\nforesaw this")
        if "exit" in given:
            sys.exit(0)
        if "print" in given:
            print("a result")
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


def test_an_unexpected_error_has_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its traceback is in the working directory, or on stderr where there is none."""
    monkeypatch.setattr(terminal, "problems", terminal.Problems())
    said = "error: unexpected ZeroDivisionError: nobody foresaw this: {}please report it"
    code, _ = run(monkeypatch, "defect", takes_arguments=True)
    assert code == cli.UNEXPECTED not in (cli.DONE, cli.FAILED)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "Traceback (most recent call last):"
    assert last == said.format("")
    terminal.problems.folder = tmp_path
    assert run(monkeypatch, "defect", takes_arguments=True)[0] == cli.UNEXPECTED
    (line,) = capsys.readouterr().err.splitlines()
    log = tmp_path / "problems.log"
    assert line == said.format(f"its traceback is in {log}: ")
    assert "in main" in log.read_text()


def test_code_of_the_users_that_ends_the_process_does_not_end_it_with_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "exit", takes_arguments=True)[0] == cli.UNEXPECTED
    assert capsys.readouterr().err.endswith("error: unexpected SystemExit: 0: please report it\n")


def test_ctrl_c_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "stop", takes_arguments=True)[0] == cli.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_wants_no_more_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in `command --status | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writer, "w"))
    assert run(monkeypatch, "print", takes_arguments=True)[0] == cli.DONE
    assert capsys.readouterr().err == ""


def test_what_cannot_be_printed_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))
    assert run(monkeypatch, "print", takes_arguments=True)[0] == cli.CANNOT_WRITE
    line = "error: what was printed could not be written: No space left on device\n"
    assert capsys.readouterr().err == line


def test_the_settings_of_a_config_are_a_dict() -> None:
    config = ml_collections.ConfigDict({"seeds": 2, "task": {"name": "digits"}})
    assert cli.settings_of(config) == {"seeds": 2, "task": {"name": "digits"}}
    with pytest.raises(InputError, match="--config: name a sweep"):
        cli.settings_of(None)
    with pytest.raises(InputError, match="must return a ConfigDict"):
        cli.settings_of({"seeds": 2})


def test_no_control_character_of_an_input_reaches_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An escape sequence in a name could rewrite the screen or the terminal's title."""
    assert run(monkeypatch, "a\x1b]0;title\x07\u202eb") == (cli.BAD_INPUT, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    with pytest.raises(SystemExit):
        cli.refuse(InputError("x\x1b[2J\x9b1m\udcff\u2066"))
    assert capsys.readouterr().err == "error: x\\x1b[2J\\x9b1m\\udcff\\u2066\n"
