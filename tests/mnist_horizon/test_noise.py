"""The measured noise against brute force, against the full data set, and against the theory."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.data.horizon_cost import window_variance_horizon
from mnist_horizon import losses, networks, noise, training
from mnist_horizon.devices import memory
from mnist_horizon.horizon import discount_from_horizon
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.schedules import Choice, parse
from mnist_horizon.tasks.graded_digits import GradedTask
from mnist_horizon.tasks.teacher import Teacher
from mnist_horizon.training import RunParams, TrainSpec
from tests.mnist_horizon.networks import user_networks

TASK = Teacher(classes=4, dimensions=6, examples=300, test_examples=8).load().task
AXES = [("dense", 1.0), ("dense", 15.0), ("revealed:0.25", 7.0), ("periodic:5", 7.0)]
KEYS = jax.random.split(jax.random.key(5), 2)


def runs_of(axes: list[tuple[str, float]]) -> RunParams:
    """Runs by schedule and horizon, for two seeds."""
    rewards = Choice.of([parse(text) for text, _ in axes])
    shape = (len(KEYS), len(axes))
    everywhere = functools.partial(jnp.full, shape)
    return RunParams(
        reward=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, shape), rewards),
        discount=jnp.broadcast_to(
            jnp.array([discount_from_horizon(horizon) for _, horizon in axes]), shape
        ),
        gae_lambda=everywhere(1.0),
        learning_rate=everywhere(0.03),
        entropy_coef=everywhere(0.0),
        kl_coef=everywhere(0.0),
        decay=everywhere(0.0),
    )


@functools.cache
def trained(baseline: str, axes: tuple[tuple[str, float], ...]):
    spec = TrainSpec(
        NetworkSpec("mlp", 1, 8), environments=16, rollout_length=32, baseline=baseline
    )
    runs, train = runs_of(list(axes)), training.make_train(spec)
    state = train.init(KEYS, TASK, runs)
    state, _ = jax.jit(train.update)(state, runs, TASK, KEYS, jnp.int32(0), jnp.int32(40))
    return spec, runs, state


def measured(baseline: str, axes: list[tuple[str, float]], samples: int, **phi: float | str):
    spec, runs, state = trained(baseline, tuple(axes))
    spec = dataclasses.replace(spec, **phi)
    measure = jax.jit(functools.partial(noise.measure, spec, samples))
    found = measure(state, runs, TASK, KEYS, jnp.int32(40))
    return {name: np.asarray(value, float) for name, value in found.items()}


def assert_as_predicted(found: dict[str, np.ndarray], relative: float, of_total: float) -> None:
    for part in noise.PARTS:
        predicted = found[f"predicted_{part}"]
        slack = relative * np.abs(predicted) + of_total * found["total"]
        assert (np.abs(found[part] - predicted) <= slack).all(), (part, found[part], predicted)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (NetworkSpec("mlp", 1, 5), (4, 4)),
        (NetworkSpec("mlp", 2, 5, phase_visible=True), (4, 4)),
        (NetworkSpec("cnn", 2, 2, phase_visible=True), (8, 8)),
        (NetworkSpec("mlp", 2, 5, activation="tanh"), (4, 4)),
    ],
)
def test_grams_are_those_of_the_jacobian(spec, shape):
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    params = networks.init(spec, 4, shape, jax.random.key(0))
    inputs = networks.first_inputs(spec, jnp.asarray(images))
    phase = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]) if spec.phase_visible else None

    def logits(params):
        return networks.apply(spec, 4, params, inputs, phase)

    network = spec, 4, params, inputs, phase
    jacobian = jax.tree.leaves(jax.jacrev(logits)(params))
    flat = jnp.concatenate([leaf.reshape(3, 4, -1) for leaf in jacobian], axis=-1)
    grams = noise.logit_grams(*network, noise.first_outputs(*network))
    expected = jnp.einsum("nap,nbp->abn", flat, flat)
    np.testing.assert_allclose(grams, expected, rtol=2e-4, atol=1e-4)


def test_a_network_with_parameters_beside_dense_layers_is_not_measured():
    assert user_networks.Repeated  # it is registered
    spec = TrainSpec(NetworkSpec("repeated", 1, 4), environments=1, rollout_length=8)
    runs = runs_of(AXES[:1])
    state = training.make_train(spec).init(KEYS, TASK, runs)
    with pytest.raises(networks.NetworkError, match="'repeated': gradient noise is measured only"):
        noise.measure(spec, 8, state, runs, TASK, KEYS, jnp.int32(0))


@pytest.mark.slow
@pytest.mark.parametrize("baseline", ["expected_reward", "state"])
def test_measured_noise_is_the_predicted(baseline):
    found = measured(baseline, AXES, samples=80_000)
    assert_as_predicted(found, 0.06, 0.02)
    parts = found["future"] + found["action"] + found["state"]
    np.testing.assert_allclose(found["total"], parts, rtol=0.03)
    assert (found["future"][:, 0] == 0).all()  # h = 1
    assert (found["future"][:, 1] > 0.4 * found["total"][:, 1]).all()  # h = 15


@pytest.mark.slow
@pytest.mark.parametrize("baseline", ["none", "batch_mean", "running_mean", "value_net"])
def test_measured_noise_is_the_predicted_for_other_baselines(baseline):
    found = measured(baseline, AXES, samples=160_000)
    assert_as_predicted(found, 0.08, 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("baseline", ["expected_reward", "state"])
def test_lotteries_are_measured_too(baseline):
    found = measured(baseline, [("lottery:0.5", 1.0), ("lottery:0.5", 7.0)], samples=400_000)
    assert_as_predicted(found, 0.06, 0.02)


@pytest.mark.slow
def test_streaks_are_measured_too():
    found = measured("expected_reward", [("streak:3", 3.0)], samples=160_000)
    assert_as_predicted(found, 0.06, 0.02)


GRADED = GradedTask(TASK.train, TASK.test, TASK.classes, neighbour=0.4)


TASKS = {"binary": TASK, "graded": GRADED}


@functools.cache
def measured_at_one_policy(name: str, samples: int) -> dict[str, np.ndarray]:
    """Dense runs at h = 1 and h = 7, both at the parameters of the first one."""
    task = TASKS[name]
    spec = TrainSpec(NetworkSpec("mlp", 1, 8), environments=16, rollout_length=32)
    runs, train = runs_of([("dense", 1.0), ("dense", 7.0)]), training.make_train(spec)
    state = train.init(KEYS, task, runs)
    state, _ = jax.jit(train.update)(state, runs, task, KEYS, jnp.int32(0), jnp.int32(60))
    axes = training.run_axes(state.params)
    first = jax.tree.map(
        lambda leaf, axis: jnp.take(leaf, jnp.array([0, 0]), axis + 1), state.params, axes
    )
    state = dataclasses.replace(state, params=first)
    found = jax.jit(functools.partial(noise.measure, spec, samples))(
        state, runs, task, KEYS, jnp.int32(60)
    )
    return {name: np.asarray(value, float) for name, value in found.items()}


def test_graded_scores_are_measured_and_have_no_prediction():
    found = measured_at_one_policy("graded", 512)
    for part in noise.PARTS:
        assert np.isnan(found[f"predicted_{part}"]).all()
        assert np.isfinite(found[part]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_fisher_and_score_variance_at_h_1_say_what_the_future_adds_at_h_7(name):
    found = measured_at_one_policy(name, 200_000)
    x = window_variance_horizon(discount_from_horizon(7.0), 32)
    expected = found["fisher"][:, 0] * found["score_variance"][:, 0] * x
    np.testing.assert_allclose(found["future"][:, 1], expected, rtol=0.05)
    np.testing.assert_allclose(found["action"][:, 1], found["action"][:, 0], rtol=0.02)


@pytest.mark.slow
def test_a_small_batch_centres_away_part_of_the_future():
    """A rollout of four horizons in one environment, against sixteen, at the same policy."""
    futures = {}
    for environments in (1, 16):
        spec = TrainSpec(NetworkSpec("mlp", 1, 8), environments, rollout_length=64)
        runs, train = runs_of([("dense", 15.0)]), training.make_train(spec)
        state = train.init(KEYS, TASK, runs)
        if environments == 1:
            update = jax.jit(train.update)
            policy = update(state, runs, TASK, KEYS, jnp.int32(0), jnp.int32(300))[0].params
        state = dataclasses.replace(state, params=policy)
        found = jax.jit(functools.partial(noise.measure, spec, 300_000))(
            state, runs, TASK, KEYS, jnp.int32(300)
        )
        futures[environments] = np.asarray(found["future"])
        np.testing.assert_allclose(found["future"], found["predicted_future"], rtol=0.04)
    assert (futures[1] < 0.94 * futures[16]).all()


def test_signal_is_the_gradient_of_the_whole_split_even_from_few_samples():
    spec, runs, state = trained("expected_reward", tuple(AXES))
    one = functools.partial(noise.measure, spec, spec.batch)
    found = jax.jit(
        lambda numbers: jax.lax.map(lambda i: one(state, runs, TASK, KEYS, i)["signal"], numbers)
    )(jnp.arange(200)).mean(axis=0)
    inputs = networks.first_inputs(spec.network, TASK.train.images)

    def accuracy(params):
        logits = networks.apply(spec.network, TASK.classes, params, inputs)
        return losses.pick(jax.nn.softmax(logits), TASK.train.labels).mean()

    axes = training.run_axes(state.params)
    square = jax.vmap(
        jax.vmap(
            lambda params: sum(
                jnp.sum(leaf**2) for leaf in jax.tree.leaves(jax.grad(accuracy)(params))
            ),
            (axes,),
        )
    )(state.params)
    assert square.shape == runs.discount.shape
    # The square of a sample's mean gradient would come out a fifth too large.
    assert float(np.mean(found / square)) == pytest.approx(1, abs=0.1)


def test_runs_are_measured_as_one_by_one(monkeypatch):
    """All at once, two at a time (the third with itself), and one after another."""
    baseline, axes = "value_net", AXES[1:]
    spec, runs, _ = trained(baseline, tuple(axes))
    found = {}
    for at_once, most in ((3, 2**24), (2, 22_000), (1, 1)):
        monkeypatch.setattr(memory, "MEASURED_FLOATS", most)
        assert memory.measurement(spec, TASK, 3).runs == at_once
        found[at_once] = measured(baseline, axes, samples=1200)
        assert {value.shape for value in found[at_once].values()} == {runs.discount.shape}
    for other in (2, 3):
        for name, values in found[1].items():
            np.testing.assert_allclose(found[other][name], values, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_examples_are_taken_some_at_a_time(at_once):
    """Also where their number divides no batch."""
    spec = NetworkSpec("mlp", 2, 5)
    params = networks.init(spec, 4, (4, 4), jax.random.key(0))
    inputs = jax.random.uniform(jax.random.key(1), (5, 16))

    def grams(part):
        network = spec, 4, params, *part
        return {"grams": noise.logit_grams(*network, noise.first_outputs(*network))}

    whole = grams((inputs, None))["grams"]
    found = noise.some_at_a_time(grams, (inputs, None), at_once)["grams"]
    np.testing.assert_allclose(found, whole, rtol=1e-5)


def test_evaluations_draw_anew_and_repeat():
    spec, runs, state = trained("expected_reward", tuple(AXES))
    measure = jax.jit(functools.partial(noise.measure, spec, 600))
    first, again, other = (
        measure(state, runs, TASK, KEYS, jnp.int32(number))["total"] for number in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.slow
def test_an_action_dependent_baseline_moves_the_action_part_alone():
    plain = measured("expected_reward", AXES, samples=20_000)
    half = measured("expected_reward", AXES, samples=20_000, action_fraction=0.5)
    whole = measured("expected_reward", AXES, samples=20_000, action_fraction=1.0)
    for part in ("future", "state"):
        for other in (half, whole):
            np.testing.assert_allclose(other[part], plain[part], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(half["action"], plain["action"] / 4, rtol=1e-3)
    np.testing.assert_allclose(whole["action"], 0, atol=1e-4 * plain["action"].max())
    # At h = 1 that is nearly all of the noise, at h = 15 less than half of it.
    saved = 1 - whole["total"] / plain["total"]
    assert (saved[:, 0] > 0.5).all()
    assert (saved[:, 1] < 0.5).all()


def test_the_bias_of_a_loss_of_which_half_is_normalised():
    """Against sums over actions on the same examples; phi = f E[A | x, a] + e [a = 0]."""
    batch = 16 * 32
    bug = functools.partial(measured, "expected_reward", AXES, batch, action_normalise="advantage")
    of_length = bug(action_fraction=0.5)
    np.testing.assert_allclose(of_length["bias_cosine"][:, 0], 1, rtol=1e-4)
    sigma = 2 * of_length["bias_length"] - 1  # (1 - f) + f sigma
    assert (np.abs(sigma[:, 0] - 1) > 0.1).all()
    found = bug(action_fraction=0.5, action_error=10.0)
    assert found["bias_cosine"][:, 0].min() < 0.97
    spec, _, state = trained("expected_reward", tuple(AXES))
    for group, key in enumerate(KEYS):
        key = jax.random.fold_in(jax.random.fold_in(key, training.NOISE_STREAM), 40)
        draws = training.draw(spec, key, jnp.int32(0), TASK)
        params = jax.tree.map(
            lambda leaf, axis, group=group: jnp.take(leaf[group], 0, axis),
            state.params,
            training.run_axes(state.params),
        )

        def flat_gradient(table, params=params, inputs=draws.inputs):
            def objective(params):
                policy = jax.nn.softmax(networks.apply(spec.network, 4, params, inputs))
                return jnp.sum(policy * table)

            return jnp.concatenate(
                [g.ravel() for g in jax.tree.leaves(jax.grad(objective)(params))]
            )

        right = jax.nn.one_hot(draws.labels.reshape(-1), 4)
        policy = jax.nn.softmax(networks.apply(spec.network, 4, params, draws.inputs))
        expected = right - jnp.mean(jnp.sum(policy * right, axis=1))
        phi = 0.5 * expected + 10.0 * jax.nn.one_hot(0, 4)
        exact, trained_on = (
            flat_gradient(expected),
            flat_gradient(expected + (sigma[group, 0] - 1) * phi),
        )
        lengths = jnp.linalg.norm(exact), jnp.linalg.norm(trained_on)
        cosine = jnp.vdot(exact, trained_on) / (lengths[0] * lengths[1])
        np.testing.assert_allclose(found["bias_cosine"][group, 0], cosine, rtol=1e-3)
        np.testing.assert_allclose(
            found["bias_length"][group, 0], lengths[1] / lengths[0], rtol=1e-3
        )
