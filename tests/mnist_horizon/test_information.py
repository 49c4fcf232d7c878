"""Bits of rewards: closed forms against enumeration of all answers and draws."""

import itertools
from collections import Counter

import numpy as np
import pytest

from mnist_horizon.information import binary_entropy, binomial_entropy
from mnist_horizon.schedules import make
from mnist_horizon.schedules.lottery import WINDOW


def entropy(chances) -> float:
    found = np.array([one for one in chances if one > 0])
    return float(-np.sum(found * np.log2(found)))


def information(joint: Counter) -> float:
    """Mutual information of (answers, rewards), from their joint probabilities."""
    answers, rewards = Counter(), Counter()
    for (answer, reward), chance in joint.items():
        answers[answer] += chance
        rewards[reward] += chance
    return entropy(answers.values()) + entropy(rewards.values()) - entropy(joint.values())


def joint(kind: str, level: float, steps: int, mu: float) -> Counter:
    """Probabilities of the answers of a window and of the rewards that they get."""
    found: Counter = Counter()
    for answers in itertools.product((0, 1), repeat=steps):
        chance = float(np.prod([mu if c else 1 - mu for c in answers]))
        if kind == "periodic":
            outcomes = [(sum(answers), 1.0)]
        elif kind == "streak":
            outcomes = [(int(all(answers)), 1.0)]
        elif kind == "revealed":
            draws = itertools.product((0, 1), repeat=steps)
            outcomes = [
                (
                    tuple(a * d for a, d in zip(answers, draw, strict=True)),
                    float(np.prod([level if d else 1 - level for d in draw])),
                )
                for draw in draws
            ]
        else:  # dense, or one draw for all
            outcomes = [(answers, level), (tuple(0 for _ in answers), 1 - level)]
        for reward, share in outcomes:
            found[answers, reward] += chance * share
    return found


@pytest.mark.parametrize("mu", [0.1, 0.5, 0.93])
@pytest.mark.parametrize(
    ("kind", "level", "steps"),
    [("dense", 1.0, 3), ("revealed", 0.25, 3), ("periodic", 5.0, 5), ("streak", 3.0, 3)],
)
def test_bits_are_those_of_all_answers(kind: str, level: float, steps: int, mu: float) -> None:
    expected = information(joint(kind, level, steps, mu)) / steps
    assert float(make(kind, level).bits(mu)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("mu", [0.1, 0.8])
def test_bits_of_a_lottery_are_those_of_all_windows(mu: float) -> None:
    level = 0.25
    # Answers of a window matter by their number alone: weigh each number by its multiplicity.
    expected = 0.0
    none = (1 - mu) ** WINDOW
    silent = 1 - level + level * none
    for right in range(WINDOW + 1):
        answer = mu**right * (1 - mu) ** (WINDOW - right)
        many = float(
            np.exp(
                np.sum(np.log(np.arange(WINDOW, WINDOW - right, -1)))
                - np.sum(np.log(np.arange(1, right + 1)))
            )
        )
        if right == 0:
            expected += many * answer * np.log2(1 / silent)
            continue
        expected += many * answer * level * np.log2(1 / answer)
        expected += many * answer * (1 - level) * np.log2((1 - level) / silent)
    assert float(make("lottery", level).bits(mu)) == pytest.approx(expected / WINDOW, rel=1e-9)


def test_a_schedule_gives_no_more_than_the_answers_have() -> None:
    mu = np.linspace(0.0, 1.0, 21)
    most = binary_entropy(mu)
    for name, level in (("revealed", 0.1), ("lottery", 0.1), ("periodic", 8.0), ("streak", 4.0)):
        bits = make(name, level).bits(mu)
        assert (bits <= most + 1e-12).all()
        assert (bits >= -1e-12).all()
    np.testing.assert_allclose(make("revealed", 1.0).bits(mu), most)
    np.testing.assert_allclose(make("lottery", 1.0).bits(mu), most, atol=1e-12)


def test_long_sums_are_normal() -> None:
    near = binomial_entropy(100_000, 0.3)
    assert binomial_entropy(100_001, 0.3) == pytest.approx(float(near), abs=1e-4)
    assert float(binomial_entropy(5, 0.0)) == float(binomial_entropy(5, 1.0)) == 0.0
