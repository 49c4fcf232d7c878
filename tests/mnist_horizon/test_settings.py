"""Settings are declared once: their listing, their choices and what a misspelt one stands for."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from mnist_horizon import settings
from mnist_horizon.settings import NEEDED, setting

COLOURS = ["red"]


@dataclass(frozen=True)
class Paint:
    colour: str = setting("red", "Of the wall.", lambda: COLOURS)
    coats: int = setting(1, "Layers, one | two.")


@dataclass(frozen=True)
class House:
    extras: dict[str, Any]
    kind: str = setting(NEEDED, "What is built.", name="house.kind")
    heights: tuple[float, ...] = setting((), "Of its storeys, in metres.")
    paint: Paint = field(default_factory=Paint)
    plain: bool = False


def test_nested_settings_have_dotted_names_kinds_defaults_and_meanings() -> None:
    found = settings.of(House, "my.")
    assert [(one.name, one.kind, one.shown_default) for one in found] == [
        ("house.kind", "text", ""),
        ("my.heights", "list of numbers", "()"),
        ("my.paint.colour", "text", "red"),
        ("my.paint.coats", "whole number", "1"),
        ("my.plain", "True or False", "False"),
    ]
    assert [one.meaning for one in found[:2]] == ["What is built.", "Of its storeys, in metres."]
    assert found[0].default is NEEDED
    assert House({}, "hut").paint == Paint("red", 1)
    with pytest.raises(TypeError):
        House({})


def test_choices_are_those_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = settings.of(Paint)[0]
    assert colour.choices == ("red",)
    monkeypatch.setattr(f"{__name__}.COLOURS", ["red", "green"])
    assert colour.choices == ("red", "green")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("hieghts", ["heights"]),
        ("coats", ["paint.coats"]),  # in another group
        ("paint.color", ["paint.colour"]),
        ("coat", ["paint.coats"]),
        ("plan", ["plain"]),
        ("col", ["paint.colour"]),
        ("garden", []),
        ("x", []),
    ],
)
def test_a_misspelt_field_stands_for_the_nearest(name: str, near: list[str]) -> None:
    assert settings.nearest(name, settings.of(House)) == near
    expected = f"did you mean {near[0]}?" if near else ""
    assert settings.did_you_mean(name, settings.of(House)) == expected


def test_fields_of_one_name_are_all_suggested() -> None:
    both = [*settings.of(Paint, "in."), *settings.of(Paint, "out.")]
    assert settings.did_you_mean("coat", both) == "did you mean in.coats or out.coats?"


def test_a_listing_is_as_wide_as_a_terminal() -> None:
    text = settings.as_text(settings.of(House), width=30)
    assert max(map(len, text.splitlines())) <= 30
    assert " ".join(text.split()).endswith(
        "paint.colour: Of the wall. (text; default: red; one of: red) "
        "paint.coats: Layers, one | two. (whole number; default: 1) "
        "plain: (True or False; default: False)"
    )


def test_a_table_has_a_row_for_each_field() -> None:
    table = settings.as_markdown(settings.of(House))
    assert table.splitlines()[2:5] == [
        "| `house.kind` | text | must be given |  | What is built. |",
        "| `heights` | list of numbers | `()` |  | Of its storeys, in metres. |",
        "| `paint.colour` | text | `red` | `red` | Of the wall. |",
    ]
    assert r"one \| two" in table
