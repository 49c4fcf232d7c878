"""What all schedules share, shown on one with the least that must be defined."""

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest

from mnist_horizon.schedules import Estimator, Payments, Schedule, make, parse, register
from tests.mnist_horizon.small_sweeps import run, tiny


class Toy(Schedule):
    """Every right answer pays twice."""

    def rewards(self, correct, uniform, phase, carried):
        steps, *env = correct.shape
        return Payments(2 * correct, self.phases(phase, steps), jnp.zeros((steps + 1, *env)))

    def expected_reward(self, phase, accuracy):
        return jnp.broadcast_to(2 * accuracy, jnp.shape(phase))

    def state_value(self, phase, carried, probability, accuracy, discount):
        return 2 * (probability - accuracy)


@pytest.fixture
def toy():
    return register("toy")(Toy)


def table(folder, kind):
    (path,) = folder.glob(f"{kind}/*.parquet")
    return pq.read_table(path).to_pandas()


def test_a_new_schedule_trains_with_no_other_edit(toy, tmp_path):
    spec = tiny(
        schedules=("dense", "toy"), budget=100 * 64, entropy_coef=0.01, noise={"samples": 64}
    )
    run(spec, tmp_path)
    rows = table(tmp_path, "results")
    rows = rows[rows["schedule"] == "toy"]
    first, last = (rows[rows["interactions"] == at] for at in (64, 100 * 64))
    assert (last["return_mean"].to_numpy() > first["return_mean"].to_numpy() + 0.1).all()
    np.testing.assert_allclose(last["reward_mean"], 2 * last["return_mean"], rtol=0.15)
    assert set(rows["run_id"].str.split("-").str[4]) == {"toy"}
    noise = table(tmp_path, "noise").groupby("schedule")
    assert np.isfinite(noise.get_group("dense")["predicted_total"]).all()
    toys = noise.get_group("toy")
    assert np.isfinite(toys["signal"]).all()
    assert toys[["total", "predicted_total"]].isna().all(axis=None)  # no closed form: no guess


def test_what_has_no_closed_form_says_so(toy):
    with pytest.raises(ValueError, match="'toy': no closed form") as error:
        make("toy").covariance(0.5, None)
    assert "\n" not in str(error.value)
    found = make("toy").window_covariance(Estimator("state", 4, 0.5), None)
    assert np.isnan(found.total)


def test_a_schedule_is_sorted_and_hashed_by_kind_and_level():
    texts = ["dense", "lottery:0.5", "periodic:2", "periodic:16", "revealed:0.1", "streak:2"]
    schedules = [parse(text) for text in texts]
    backwards = schedules[::-1]
    assert sorted(backwards) == schedules
    assert len({*schedules, *map(parse, texts)}) == len(texts)
    assert parse("periodic:2") != parse("streak:2")
    assert parse("periodic:2") != "periodic:2"
    assert max(schedules) == parse("streak:2")
    with pytest.raises(TypeError):
        sorted([parse("dense"), "dense"])


def test_a_schedule_is_frozen():
    with pytest.raises(AttributeError):
        parse("periodic:2").level = 3.0


@pytest.mark.parametrize(
    "text", ["dense", "revealed:0.25", "periodic:3", "streak:3", "lottery:0.5"]
)
def test_the_level_is_the_one_leaf_and_may_be_traced(text):
    schedule = parse(text)
    assert jax.tree.leaves(schedule) == [schedule.level]
    generator = np.random.default_rng(0)
    correct = jnp.asarray(generator.random((20, 2)) < 0.7, jnp.float32)
    uniform = jnp.asarray(generator.random((20, 2)), jnp.float32)

    def rewards(schedule):
        return schedule.rewards(correct, uniform, jnp.int32(2 % schedule.window), jnp.ones(2))

    alone = rewards(schedule)
    traced = jax.jit(rewards)(jax.tree.map(jnp.float32, schedule))
    stacked = jax.tree.map(lambda leaf: jnp.full(3, leaf, jnp.float32), schedule)
    mapped = jax.tree.map(lambda leaf: leaf[1], jax.vmap(rewards)(stacked))
    for other in (traced, mapped):
        jax.tree.map(np.testing.assert_array_equal, alone, other)
