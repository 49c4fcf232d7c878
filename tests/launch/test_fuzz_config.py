"""Whatever stands in a config's fields: a spec, or one line that names the field."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ml_collections
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launch.configs import default_config
from mnist_horizon import cli
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps import SweepSpec, spec_from

DIGITS = {**default_config().to_dict(), "task": {"name": "digits"}}
TEACHER = {
    **DIGITS,
    "task": {"name": "teacher", "temperature": 0.5, "label_noise": 0.1, "seed": 3},
    "algorithm": {"name": "ppo", "gae_lambda": 0.9, "epochs": 2, "minibatches": 2, "clip": 0.2},
}

# How fast examples are made says how busy the machine is.
ANY_SPEED = [HealthCheck.too_slow]

HUGE = 10**400
"""Beyond every float."""

TOO_LONG = 10**5000
"""Of more digits than Python turns into text."""

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, HUGE, -HUGE]),
    st.floats(),
    st.text(),
    st.sampled_from(["mlp", "ppo", "periodic:2", "streak:1e999", "revealed:nan", "two\nlines"]),
)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def paths(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field of a config, groups and what is in them."""
    for name, value in fields.items():
        yield (*above, name)
        if isinstance(value, Mapping):
            yield from paths(value, (*above, name))


def changed(base: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A config with another value in one field, which may be new."""
    result = copy.deepcopy(dict(base))
    group = result
    for name in path[:-1]:
        group = group[name]
    group[path[-1]] = value
    return result


def outcome(load: Callable[[Any], SweepSpec], fields: Any) -> SweepSpec | str:
    """A spec, which survives JSON, or the one line that says why not."""
    try:
        found: SweepSpec | str = load(fields)
    except SweepError as error:
        found = str(error)
    if isinstance(found, str):
        assert len(found.splitlines()) == 1
    else:
        assert spec_from(found.to_json()) == found
    return found


bases = st.sampled_from([DIGITS, TEACHER])


@given(st.data(), nested)
@settings(max_examples=400, suppress_health_check=ANY_SPEED)
def test_any_value_in_any_field_is_a_spec_or_one_line(data: st.DataObject, value: Any) -> None:
    base = data.draw(bases)
    outcome(spec_from, changed(base, data.draw(st.sampled_from([*paths(base)])), value))


@given(bases, st.sampled_from([(), ("task",), ("batch",), ("noise",)]), st.text(), nested)
@example(DIGITS, (), "two\nlines", 1)
@example(DIGITS, ("task",), "two\u2028lines", 1)
@settings(max_examples=100, suppress_health_check=ANY_SPEED)
def test_a_field_of_any_name_is_known_or_refused_in_one_line(
    base: Mapping[str, Any], group: tuple[str, ...], name: str, value: Any
) -> None:
    outcome(spec_from, changed(base, (*group, name), value))


EXTREMES = {
    "huge": HUGE,
    "minus huge": -HUGE,
    "too long to show": TOO_LONG,
    "minus too long": -TOO_LONG,
    "tiny": 5e-324,
    "largest float": 1.7e308,
    "nan": math.nan,
    "minus infinity": -math.inf,
}


@pytest.mark.parametrize("value", EXTREMES.values(), ids=EXTREMES.keys())
@pytest.mark.parametrize("base", [DIGITS, TEACHER], ids=["digits", "teacher"])
def test_extreme_numbers_in_every_field(base: Mapping[str, Any], value: float) -> None:
    for path in paths(base):
        outcome(spec_from, changed(base, path, value))
        outcome(spec_from, changed(base, path, [value]))


@given(st.data(), nested)
@settings(max_examples=100, suppress_health_check=ANY_SPEED)
def test_the_loader_takes_what_the_spec_takes(data: st.DataObject, value: Any) -> None:
    """A `ConfigDict` on the way changes neither values nor what is refused."""
    fields = changed(DIGITS, data.draw(st.sampled_from([*paths(DIGITS)])), value)
    try:
        config_dict = ml_collections.ConfigDict(fields)
    except ValueError:  # a dot in a name: the config file itself fails, and says so
        return
    directly = outcome(spec_from, fields)
    by_loader = outcome(lambda config: spec_from(cli.settings_of(config)), config_dict)
    assert isinstance(by_loader, str) if isinstance(directly, str) else by_loader == directly


@pytest.mark.parametrize("level", ["16777217", "1" + "0" * 300])
def test_a_period_beyond_single_precision_is_refused(level: str) -> None:
    with pytest.raises(SweepError, match=r"^schedules\[0\]: .* needs k of at most 2\^24, not \S+$"):
        spec_from({**DIGITS, "schedules": [f"periodic:{level}"]})


@pytest.mark.parametrize("base", [DIGITS, TEACHER], ids=["digits", "teacher"])
def test_the_configs_that_are_changed_are_specs(base: Mapping[str, Any]) -> None:
    assert isinstance(outcome(spec_from, base), SweepSpec)
