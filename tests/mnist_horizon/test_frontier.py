"""The best policies by KL: closed forms against samples, and against every policy nearby."""

import numpy as np
import pytest

from mnist_horizon import frontier

GENERATOR = np.random.default_rng(0)
INITIAL = GENERATOR.dirichlet(np.ones(5), 3)
SCORES = np.round(GENERATOR.normal(size=(3, 5)), 1)
SCORES[0, 1] = SCORES[0, 3]  # a tie


@pytest.mark.parametrize("draws", [1, 2, 5, 40])
def test_best_of_n_is_the_best_of_samples(draws):
    expected = frontier.best_of_n(INITIAL, SCORES, draws)
    count = 40_000
    for example in range(len(INITIAL)):
        samples = GENERATOR.choice(5, (count, draws), p=INITIAL[example])
        best = samples[np.arange(count), SCORES[example][samples].argmax(axis=1)]
        found = np.bincount(best, minlength=5) / count
        np.testing.assert_allclose(found, expected[example], atol=5 * 0.5 / np.sqrt(count))


def test_one_draw_is_the_initial_policy_and_many_the_best_action():
    np.testing.assert_allclose(frontier.best_of_n(INITIAL, SCORES, 1), INITIAL, atol=1e-12)
    many = frontier.best_of_n(INITIAL, SCORES, 1e6)
    best = SCORES.max(axis=1, keepdims=True) == SCORES
    np.testing.assert_allclose(many[best].sum(), len(SCORES), rtol=1e-6)


@pytest.mark.parametrize("draws", [1, 2, 8, 64])
def test_the_kl_of_best_of_n_is_below_its_bound_and_reaches_it_without_ties(draws):
    found = frontier.kl_divergence(frontier.best_of_n(INITIAL, SCORES, draws), INITIAL)
    assert 0 <= found + 1e-12 <= frontier.kl_bound(draws) + 2e-12
    many = 20_000
    uniform = np.full((1, many), 1 / many)
    policy = np.diff((np.arange(many + 1) / many) ** draws)[None]
    assert frontier.kl_divergence(policy, uniform) == pytest.approx(
        frontier.kl_bound(draws), abs=0.01
    )


def test_best_of_n_of_many_actions_is_that_of_the_order_of_draws():
    scores = np.arange(200.0)[None]
    uniform = np.full((1, 200), 1 / 200)
    found = frontier.best_of_n(uniform, scores, 7)
    np.testing.assert_allclose(found[0], np.diff((np.arange(201) / 200) ** 7), atol=1e-12)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_no_policy_nearby_has_more_of_the_objective_than_the_optimum(temperature):
    best = frontier.regularised_optimum(INITIAL, SCORES, temperature)

    def objective(policy):
        kl = np.sum(policy * np.log(policy / INITIAL), -1)
        return np.sum(policy * SCORES, -1) - temperature * kl

    value = temperature * np.log(np.sum(INITIAL * np.exp(SCORES / temperature), axis=-1))
    np.testing.assert_allclose(objective(best), value, rtol=1e-9)
    for _ in range(50):
        other = best * np.exp(0.1 * GENERATOR.normal(size=best.shape))
        assert np.all(objective(other / other.sum(-1, keepdims=True)) < value)


def test_rows_begin_at_the_initial_policy_and_an_optimum_has_the_most_at_its_kl():
    gold = np.eye(5)[[0, 1, 2]]
    rows = list(frontier.frontier(INITIAL, gold, SCORES))
    start = next(row for row in rows if row["kind"] == "best_of_n")
    assert start["kl"] == pytest.approx(0, abs=1e-9)
    assert start["gold"] == pytest.approx(np.mean(np.sum(INITIAL * gold, -1)))
    by_kind = {
        kind: sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["kl"])
        for kind in ("proxy_optimum", "gold_optimum", "best_of_n")
    }
    for best, value in (("proxy_optimum", "proxy"), ("gold_optimum", "gold")):
        place = [row["kl"] for row in by_kind[best]]
        most = [row[value] for row in by_kind[best]]
        for row in rows:
            if row["kl"] > place[0]:
                # Between two tabulated places the chord lies below the concave frontier.
                assert row[value] <= np.interp(row["kl"], place, most) + 0.02
