"""Sentences on a privileged basis: each verdict, and no number without an interval."""

import pytest

from analysis.page.privileged_basis_claims import privileged_basis_claims

ENTRY = {
    "label": "relu, adam",
    "layer": 2,
    "seeds": 8,
    "seeds_initial": 8,
    "verdict": "above",
    "verdict_initial": "none",
    "interactions": 102_400,
    "return": 0.9,
    "since": 4096,
    "end": 0.5,
    "end_ci": [0.4, 0.6],
    "initial": 0.01,
    "initial_ci": [-0.02, 0.04],
}


def sentence(**changes):
    return privileged_basis_claims([{**ENTRY, **changes}])[-1]


def test_a_basis_is_said_with_its_size_and_since_when():
    claim = sentence()
    assert claim.text == (
        "relu, adam, hidden layer 2: a privileged basis of few large units: the excess kurtosis "
        "over units is above that of random rotations by 0.5 [0.4, 0.6] after 102,000 interactions "
        "(return 0.9); the sign is the same at every mark from 4,100 interactions on. Before "
        "training it is 0.01 [-0.02, 0.04]."
    )
    assert claim.decided
    assert claim.numbers == {"end": (0.5, [0.4, 0.6]), "initial": (0.01, [-0.02, 0.04])}


@pytest.mark.parametrize(
    ("changes", "words", "decided"),
    [
        ({"verdict": "below", "end": -0.5, "end_ci": [-0.6, -0.4]}, "more equal size", True),
        ({"verdict": "none", "since": None, "end_ci": [-0.05, 0.05]}, "no privileged basis", True),
        ({"verdict": "undecided", "since": None, "end_ci": [-0.3, 0.4]}, "is undecided", False),
    ],
)
def test_other_verdicts(changes, words, decided):
    claim = sentence(**changes)
    assert words in claim.text
    assert claim.decided == decided
    assert ("from 4,100" in claim.text) == (changes.get("since", 0) is not None)


def test_what_is_undecided_has_no_number_and_one_seed_none_at_all():
    claim = sentence(verdict="undecided", since=None, end=0.123, end_ci=[-0.3, 0.5])
    assert "0.123" not in claim.text
    assert "[-0.3, 0.5]" in claim.text
    claim = sentence(verdict="undecided", end_ci=None, initial_ci=None)
    assert not claim.decided
    assert not any(character.isdigit() for character in claim.text.replace("layer 2", ""))


def test_all_conditions_are_summed_up_first():
    layers = [{**ENTRY, "layer": 1}, ENTRY, {**ENTRY, "label": "tanh, sgd", "verdict": "none"}]
    end, before, *others = privileged_basis_claims([*layers, {**ENTRY, "layer": 3}])
    assert len(others) == 4
    assert end.text == (
        "At the end of training, by activation function and optimiser. A privileged basis of few "
        "large units: relu, adam. None seen (excess kurtosis within 0.1 of that of random "
        "rotations): tanh, sgd."
    )
    assert "rotations): relu, adam; tanh, sgd." in before.text
    assert (end.verdict, before.verdict) == ("several", "none")
    mixed = [{**ENTRY, "layer": 1, "verdict": "undecided"}, ENTRY]
    text = privileged_basis_claims(mixed)[0].text
    assert "large units: relu, adam (layer 2). Undecided: relu, adam (layer 1)." in text
    assert not privileged_basis_claims(mixed[:1])[0].decided


def test_runs_that_diverged_are_counted():
    assert "(return 0.9), of the 6 of 8 seeds that are finite; the sign" in sentence(seeds=6).text


def test_before_training_alone_nothing_is_said_twice():
    claim = sentence(verdict="none", since=None, interactions=0, **{"return": None})
    assert "Before training" not in claim.text
    assert "return" not in claim.text
