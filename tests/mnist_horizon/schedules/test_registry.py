import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_horizon.schedules import Schedule, expected_reward, marginal_reward, parse


def simulate(schedule, accuracy, windows, generator):
    """Rewards [window, k] of right answers drawn independently, from the table of definitions."""
    period = int(schedule.level) if schedule.kind in ("periodic", "streak") else 1
    right = generator.random((windows, period)) < accuracy
    rewards = np.zeros((windows, period))
    if schedule.kind in ("dense", "revealed"):
        shown = generator.random((windows, 1)) < schedule.level
        rewards = right * shown / schedule.level
    elif schedule.kind == "periodic":
        rewards[:, -1] = right.sum(axis=1)
    else:
        rewards[:, -1] = period * right.all(axis=1)
    return rewards


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("dense", Schedule("dense")),
        ("revealed:0.25", Schedule("revealed", 0.25)),
        ("periodic:8", Schedule("periodic", 8.0)),
        ("streak:3", Schedule("streak", 3.0)),
    ],
)
def test_parse_reads_what_str_writes(text, schedule):
    assert parse(text) == schedule
    assert str(schedule) == text


@settings(deadline=None)
@given(
    st.one_of(
        st.builds(Schedule, st.just("revealed"), st.floats(1e-9, 1)),
        st.builds(
            Schedule, st.sampled_from(["periodic", "streak"]), st.integers(1, 10**9).map(float)
        ),
    )
)
def test_text_loses_no_digit(schedule):
    assert parse(str(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "unknown schedule ''"),
        ("sparse", "unknown schedule 'sparse'"),
        ("dense:1", "write 'dense'"),
        ("periodic", "'periodic:k'"),
        ("revealed:0", "0 < p <= 1, not 0"),
        ("revealed:1.5", "0 < p <= 1, not 1.5"),
        ("revealed:nan", "0 < p <= 1, not nan"),
        ("periodic:0", "whole number k >= 1, not 0"),
        ("periodic:2.5", "whole number k >= 1, not 2.5"),
        ("streak:inf", "whole number k >= 1, not inf"),
        ("streak:many", "streak:many"),
        ("periodic:", "periodic:"),
    ],
)
def test_refusals_say_in_one_line_what_is_accepted(text, says):
    with pytest.raises(ValueError, match=says) as error:
        parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "level"), [("dense", 2.0), ("lottery", 1.0), ("streak", 0.5)])
def test_schedule_refuses_what_parse_would(kind, level):
    with pytest.raises(ValueError, match=kind):
        Schedule(kind, level)


@pytest.mark.parametrize(
    ("text", "reveal", "period", "streak"),
    [
        ("dense", 1.0, 1, False),
        ("revealed:0.25", 0.25, 1, False),
        ("periodic:4", 1.0, 4, False),
        ("streak:4", 1.0, 4, True),
    ],
)
def test_params_are_the_three_numbers(text, reveal, period, streak):
    params = parse(text).params()
    assert (float(params.reveal_probability), int(params.period)) == (reveal, period)
    assert bool(params.streak) is streak


@pytest.mark.parametrize("text", ["dense", "revealed:0.2", "periodic:3", "streak:3"])
@pytest.mark.parametrize("accuracy", [0.1, 0.7, 1.0])
def test_mean_reward_and_expected_reward_against_simulation(text, accuracy):
    schedule = parse(text)
    rewards = simulate(schedule, accuracy, 60_000, np.random.default_rng(1))
    error = 4 * rewards.std(axis=0) / np.sqrt(len(rewards)) + 1e-6
    by_phase = expected_reward(
        schedule.params(), jnp.arange(rewards.shape[1]), jnp.float32(accuracy)
    )
    assert np.all(np.abs(rewards.mean(axis=0) - by_phase) <= error)
    assert abs(rewards.mean() - schedule.mean_reward(accuracy)) <= error.mean()
    assert schedule.optimal_reward() == 1.0
    assert schedule.chance_reward(10) == schedule.mean_reward(0.1)


def test_mean_rewards_by_hand():
    assert parse("streak:3").mean_reward(0.5) == 0.125
    assert parse("periodic:3").mean_reward(0.5) == 0.5
    assert parse("revealed:0.1").mean_reward(0.5) == 0.5
    assert parse("streak:2").chance_reward(10) == pytest.approx(0.01)


def test_expected_reward_by_hand():
    phases, half = jnp.arange(3), jnp.float32(0.5)
    assert expected_reward(parse("periodic:3").params(), phases, half).tolist() == [0, 0, 1.5]
    assert expected_reward(parse("streak:3").params(), phases, half).tolist() == [0, 0, 0.375]
    assert expected_reward(parse("revealed:0.1").params(), phases[:1], half).tolist() == [0.5]


@pytest.mark.parametrize("text", ["dense", "revealed:0.25", "periodic:4", "streak:1", "streak:4"])
def test_the_marginal_reward_is_the_slope_of_the_mean_reward(text):
    schedule, accuracy, step = parse(text), 0.3, 1e-3
    rise = schedule.mean_reward(accuracy + step) - schedule.mean_reward(accuracy - step)
    found = marginal_reward(schedule.params(), jnp.float32(accuracy))
    assert found == pytest.approx(rise / (2 * step), rel=1e-4)
