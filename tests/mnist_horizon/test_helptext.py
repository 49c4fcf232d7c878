"""What is said of flags and fields that do not exist, in a user's words."""

import sys
from collections.abc import Callable

import ml_collections
import pytest
from absl import flags
from ml_collections import config_flags

from mnist_horizon import helptext


def overridden(override: str) -> Callable[[], object]:
    """A command line that changes a field of a small config."""

    def parse() -> object:
        values = flags.FlagValues()
        config = ml_collections.ConfigDict({"seeds": 2, "batch": {"rollout_length": 3}})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["command", override])  # where overrides are looked for
            helptext.check_fields(sys.argv)
            config_flags.DEFINE_config_dict("config", config, flag_values=values)
            return values(sys.argv)

    return parse


def read(name: str) -> Callable[[], object]:
    """A config file that reads a field."""
    return lambda: getattr(ml_collections.ConfigDict({"batch": {"rollout_length": 3}}).batch, name)


SAID = {
    "a misspelt group": (
        overridden("--config.bacth.rollout_length=1"),
        "bacth: unknown field: did you mean batch?",
    ),
    "an unknown group": (overridden("--config.wxyz.size=1"), "wxyz: unknown field"),
    "a field of a number": (overridden("--config.seeds.x=1"), "seeds.x: unknown field"),
    "a group": (
        overridden("--config.batch=3"),
        "--config.batch: a group of fields: give one of them, as in --config.batch.FIELD=VALUE",
    ),
    "no name": (
        overridden("--config.=3"),
        "--config.: no name of a field: names are of letters and _",
    ),
    "a name with a dash": (
        overridden("--config.roll-out=3"),
        "--config.roll-out: no name of a field: names are of letters and _",
    ),
    "a misspelt field in a file": (
        read("rolout_length"),
        "rolout_length: unknown field: did you mean rollout_length?",
    ),
    "an unknown field in a file": (read("wxyz"), "wxyz: unknown field"),
    "a file's own error": (lambda: {"b": 1}["a"], "KeyError: 'a'"),
}


@pytest.mark.parametrize(("fails", "said"), SAID.values(), ids=SAID.keys())
def test_an_error_is_said_plainly(fails: Callable[[], object], said: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  several libraries' classes
        fails()
    assert helptext.plain(caught.value) == said


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("dry-run", "--dry-run: unknown flag: did you mean --dry_run?"),
        ("drun", "--drun: unknown flag: did you mean --dry_run?"),
        ("xyzzy", "--xyzzy: unknown flag; --help lists all"),
    ],
)
def test_an_unknown_flag_is_said_plainly(
    flag: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = flags.FlagValues()
    flags.DEFINE_boolean("dry_run", False, "", flag_values=values)
    monkeypatch.setattr(flags, "FLAGS", values)
    with pytest.raises(flags.UnrecognizedFlagError) as caught:
        values(["command", f"--{flag}"])
    assert helptext.plain(caught.value) == said


def test_a_list_may_be_changed_in_one_place() -> None:
    helptext.check_fields(["command", "--config.widths[0]=4", "--workdir=a-b/c", "--config=x.py:y"])


@pytest.mark.parametrize(
    ("argv", "asked", "rest"),
    [
        (["c", "--workdir=w", "--help"], "--help", ["c", "--workdir=w"]),
        (["c", "-h", "x"], "-h", ["c", "x"]),
        (["c", "--helpfull"], "--helpfull", ["c"]),
        (["c", "--", "--help"], "", ["c", "--", "--help"]),
        (["c"], "", ["c"]),
    ],
)
def test_help_is_found_wherever_it_stands(argv: list[str], asked: str, rest: list[str]) -> None:
    assert helptext.split(argv) == (asked, rest)
