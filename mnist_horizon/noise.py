"""The noise of the policy gradient, measured at the parameters of a run.

A step's gradient is `g = J(x)^T u`, J the Jacobian of the logits in the parameters and u the
derivative of the loss in the logits, so that all norms follow from the small matrices
`G(x) = J J^T` (`logit_grams`): the gradient of a single step is never formed. Rollouts use the
trainer's own `roll_out`, `advantages` and loss. Given state and action, the advantage splits into
its mean (`training.expected_advantages`) and what the future adds; sums over actions are exact.

    total  = E |g|^2 - |E g|^2                    sampled
    future = E |g - E[g | state, action]|^2       sampled
    action = E Var(E[g | state, action] | state)  exact over actions, at sampled states
    state  = Var E[g | state]                     likewise

All are traces per step, averaged over the steps of a rollout (Tucker et al. 2018, arXiv
1802.10031). `signal` is |m|^2, m the gradient of the mean of pi(label|x), without the bias of a
finite sample. `fisher` is tr F of the score and `score_variance` v = Var(c): with dense rewards
the future adds `tr(F) v x` at variance horizon x, so that a run at h = 1, of which the future part
is 0, says what longer horizons would add at its parameters.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jaxtyping import Float, Int, Key

from mnist_horizon import action_baselines, losses, networks, training
from mnist_horizon import advantages as adv
from mnist_horizon.devices import memory
from mnist_horizon.moments import Covariance, Moments, ValueMoments
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.tasks import Task
from mnist_horizon.training import Draws, Params, RunParams, RunState, TrainSpec

PARTS = ("total", "future", "action", "state")

Loss = Callable[[Array, Array, Array], Array]

Gradients = dict[str, Params]
"""Sums over steps, by `_gradient_names`."""


class Measured(NamedTuple):
    """A rollout's interactions as the estimators use them."""

    actions: Int[Array, "batch"]
    logits: Float[Array, "batch action"]
    advantages: Float[Array, "batch"]
    expected: Float[Array, "batch action"]
    """E[A | state, action] of every action."""
    right: Float[Array, "batch action"]
    """c of every action."""
    value: Float[Array, "batch"]
    """z(x), the state baseline less its mean (0 for constant baselines)."""


def measure(
    spec: TrainSpec,
    samples: int,
    state: RunState,
    runs: RunParams,
    task: Task,
    keys: Key[Array, "group"],
    number: Int[Array, ""],
) -> dict[str, Float[Array, "group run"]]:
    """Measure the noise of every run of a program, and predict it.

    Pure and traceable: `jax.jit(functools.partial(measure, spec, samples))`. Runs of a group see
    the same examples and uniforms. As many runs of a group are measured at once as need a bounded
    memory (`devices.memory.measurement`).

    Args:
        spec: what is static in the program. An action-dependent baseline is subtracted with its
            correction, unnormalised.
        samples: interactions to use, rounded up to whole rollouts.
        state: of the runs; their parameters, reward windows and running means are used.
        runs: the runs' numbers.
        task: the task.
        keys: the seeds' keys.
        number: of the update, so that each evaluation has new draws.

    Returns:
        `total`, `future`, `action`, `state`, their `predicted_*` for rollouts of this length
        (`Schedule.window_covariance`), and `signal`. NaN where no closed form is known (a streak's
        parts with other baselines than `expected_reward` and `state`, or lambda below 1; a schedule
        without theory; scores between 0 and 1). The predictions assume that a policy that sees the
        phase is the same at every phase, and that phi takes (1 - f)^2 of the action part; NaN for
        a phi with an error. Also `fisher` and `score_variance`, and where only the advantage is
        normalised `bias_cosine` and `bias_length` (`_bias`).

    Raises:
        NetworkError: the network has parameters that are not those of its own `nn.Dense` layers.
    """
    shape = task.train.images.shape[1:]
    networks.check_noise_is_measurable(spec.network, task.classes, shape)
    rollouts, count = -(-samples // spec.batch), runs.discount.shape[1]
    limits = memory.measurement(spec, task, count)
    # The last run is measured again where the parts, all of one size, hold more than there are.
    index = jnp.arange(-(-count // limits.runs) * limits.runs).reshape(-1, limits.runs)
    index = jnp.minimum(index, count - 1)

    def one_group(state: RunState, runs: RunParams, key: Array) -> dict[str, Array]:
        key = jax.random.fold_in(jax.random.fold_in(key, training.NOISE_STREAM), number)
        axes = training.run_axes(state)

        def some_runs(index: Array) -> dict[str, Array]:
            take = lambda leaf, axis: jnp.take(leaf, index, axis)  # noqa: E731
            chosen = jax.tree.map(take, state, axes)
            some = jax.tree.map(lambda leaf: leaf[index], runs)
            roll = functools.partial(_measure_rollout, spec, task, limits.examples)
            finish = functools.partial(_finish, spec, rollouts)
            return _measure_runs(spec, roll, finish, rollouts, chosen, some, task, key)

        parts = lax.map(some_runs, index)
        return jax.tree.map(lambda leaf: leaf.reshape(-1)[:count], parts)

    return jax.vmap(one_group)(state, runs, keys)


def _measure_runs(
    spec: TrainSpec,
    measure_rollout: Callable[..., Any],
    finish: Callable[..., Any],
    rollouts: int,
    state: RunState,
    runs: RunParams,
    task: Task,
    key: Array,
) -> dict[str, Float[Array, "run"]]:
    """Measure runs of a group over `rollouts` rollouts that follow one another as in training."""
    axes = training.run_axes(state)
    gradient_axes = dict.fromkeys(_gradient_names(spec), training.run_axes(state.params))

    def one_rollout(carry: tuple[Array, Array, Gradients], number: Array) -> tuple[Any, Any]:
        phase, carried, gradients = carry
        draws = training.draw(spec, key, number, task)
        now = dataclasses.replace(state, phase=phase, carried=carried)
        every_run = jax.vmap(measure_rollout, (axes, 0, None), (0, 0, gradient_axes, 0))
        *following, of_rollout, sums = every_run(now, runs, draws)
        gradients = jax.tree.map(jnp.add, gradients, of_rollout)
        return (*following, gradients), (sums, phase)

    zeros = {name: jax.tree.map(jnp.zeros_like, state.params) for name in _gradient_names(spec)}
    start = state.phase, state.carried, zeros
    (*_, gradients), (sums, phases) = lax.scan(one_rollout, start, jnp.arange(rollouts))
    sums = jax.tree.map(lambda leaf: leaf.mean(axis=0), sums)
    in_axes = (0, 0, gradient_axes, 0, 1)
    return jax.vmap(finish, in_axes)(state.running_mean, runs, gradients, sums, phases)


def _measure_rollout(
    spec: TrainSpec,
    task: Task,
    at_once: int,
    state: RunState,
    run: RunParams,
    draws: Draws,
) -> tuple[Array, Array, Gradients, dict[str, Array]]:
    """The phase and answers that a rollout leaves, its gradients, and its moments' means."""
    measured, gradients, window, value_mean = _roll_out(spec, state, run, task, draws)
    network = spec.network, task.classes, state.params
    seen = draws.inputs, training.visible_phase(spec, state, run)

    def moments(part: tuple[Any, ...]) -> dict[str, Float[Array, "part"]]:
        *seen, measured = part
        loss = _loss(spec, measured)
        return example_moments(logit_grams(*network, *seen), measured, loss)

    each = some_at_a_time(moments, (*seen, first_outputs(*network, *seen), measured), at_once)
    sums = {name: leaf.mean() for name, leaf in each.items()} | {"value_mean": value_mean}
    return window.phase[-1], window.carried[-1], gradients, sums


def _finish(
    spec: TrainSpec,
    rollouts: int,
    running_mean: Float[Array, ""],
    run: RunParams,
    gradients: Gradients,
    sums: dict[str, Float[Array, ""]],
    phases: Int[Array, "rollout"],
) -> dict[str, Float[Array, ""]]:
    """What was measured of a run, and the predictions, from means over its rollouts."""
    count = float(rollouts * spec.batch)
    squared = sum(jnp.sum((leaf / count) ** 2) for leaf in jax.tree.leaves(gradients["answer"]))
    # Pairs of different examples only: the square of a sample mean is biased by its noise.
    signal = (count * squared - sums["state_signal"]) / (count - 1)
    predicted, mean_square = _predict(spec, run, _moments(sums, signal), running_mean, phases)
    if spec.action_fraction:
        left = (1 - spec.action_fraction) ** 2
        predicted["predicted_total"] -= (1 - left) * predicted["predicted_action"]
        predicted["predicted_action"] *= left
    # The closed forms use c^2 = c, and know no error of phi.
    unknown = (sums["grading"] != 0) | bool(spec.action_error)  # negative beyond 0 and 1
    predicted = {name: jnp.where(unknown, jnp.nan, one) for name, one in predicted.items()}
    bias = _bias(gradients["exact"], gradients["trained"]) if "exact" in gradients else {}
    return {
        "total": sums["total"] - mean_square,
        "future": sums["future"],
        "action": sums["action"],
        "state": sums["state"] - mean_square,
        "signal": signal,
        "fisher": sums["fisher"],
        "score_variance": sums["accuracy"] - sums["grading"] - sums["accuracy"] ** 2,
        **predicted,
        **bias,
    }


def _gradient_names(spec: TrainSpec) -> tuple[str, ...]:
    """Of the sums over steps that are formed: the last two where the trainer's mean is biased.

    `answer` is the gradient of E[c | x]. `exact` and `trained` are that of the loss's mean over
    actions and the future, with both its terms over sigma, and as the trainer has it.
    """
    return ("answer", *(("exact", "trained") if spec.action_normalise == "advantage" else ()))


def _bias(exact: Params, trained: Params) -> dict[str, Float[Array, ""]]:
    """`bias_cosine` of the two gradients, and `bias_length`, |trained| / |exact|."""

    def inner(first: Params, second: Params) -> Array:
        products = jax.tree.map(lambda a, b: jnp.sum(a * b), first, second)
        return jnp.sum(jnp.stack(jax.tree.leaves(products)))

    square, other = inner(exact, exact), inner(trained, trained)
    cosine = inner(exact, trained) / jnp.sqrt(square * other)
    return {"bias_cosine": cosine, "bias_length": jnp.sqrt(other / square)}


def logit_grams(
    spec: NetworkSpec,
    classes: int,
    params: Params,
    inputs: Float[Array, "batch ..."],
    phase: Float[Array, "batch 2"] | None,
    first: dict[str, Array],
) -> Float[Array, "action action batch"]:
    """`G(x) = J J^T`, inner products of the logits' gradients in all parameters, per example.

    A dense layer with input h and backward signal delta_a (of logit a) has the kernel gradient
    h delta_a^T, so it adds `(|h|^2 + 1) delta_a . delta_b`; one that is applied at several
    positions adds the inner product of sums over positions. `first` are the `first_outputs`.
    """

    def one_example(example: tuple[Any, ...]) -> Float[Array, "action action"]:
        taps: dict[str, Array] = {}
        inputs, phase, first = jax.tree.map(lambda leaf: leaf[None], example)

        def shifted(shifts: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
            def tap(call: Callable, args: tuple, kwargs: dict, context: Any) -> Array:
                name = str(context.module.name)
                result = first[name] if name in first else call(*args, **kwargs)
                if not isinstance(context.module, nn.Dense):
                    return result
                taps[name] = args[0]
                return result + shifts[name] if shifts else result

            with nn.intercept_methods(tap):
                logits = networks.apply(spec, classes, params, inputs, phase)
            return logits, dict(taps)

        logits, seen = jax.eval_shape(lambda: shifted({}))
        shifts = {
            name: jnp.zeros((*seen[name].shape[:-1], params[name]["kernel"].shape[-1]))
            for name in seen
        }
        _, pull_back, seen = jax.vjp(shifted, shifts, has_aux=True)
        (deltas,) = jax.vmap(pull_back)(jnp.eye(classes, dtype=logits.dtype)[:, None, :])
        layers = [
            _layer_gram(seen[name][0], deltas[name][:, 0], "bias" in params[name]) for name in seen
        ]
        return jnp.sum(jnp.stack(layers), axis=0)

    return jax.vmap(one_example, out_axes=-1)((inputs, phase, first))


def some_at_a_time(
    function: Callable[[Any], dict[str, Array]], examples: Any, at_once: int
) -> dict[str, Array]:
    """`function` of the examples, [batch, ...] to [..., batch], for `at_once` of them at a time.

    The backward signals of all logits, and their Gram matrices (of which a TPU pads each to a tile
    of 16 x 128), need many times a forward pass's memory, so they exist for few examples only. The
    last part begins earlier where their number does not divide the batch: these are done twice.
    """
    count = jax.tree.leaves(examples)[0].shape[0]

    def part(number: Array | int) -> tuple[Array | int, dict[str, Array]]:
        start = jnp.minimum(number * at_once, count - at_once)
        take = lambda leaf: lax.dynamic_slice_in_dim(leaf, start, at_once)  # noqa: E731
        return start, function(jax.tree.map(take, examples))

    def add(number: Array, results: dict[str, Array]) -> dict[str, Array]:
        start, found = part(number)
        put = functools.partial(lax.dynamic_update_slice_in_dim, start_index=start, axis=-1)
        return jax.tree.map(put, results, found)

    _, shapes = jax.eval_shape(part, 0)
    results = {
        name: jnp.zeros((*leaf.shape[:-1], count), leaf.dtype) for name, leaf in shapes.items()
    }
    return lax.fori_loop(0, -(-count // at_once), add, results)


def first_outputs(
    spec: NetworkSpec, classes: int, params: Params, inputs: Array, phase: Array | None
) -> dict[str, Array]:
    """Outputs of the layer that multiplies the observations, the largest product, by its name.

    For the whole batch they are one product, the same as the rollout's own.
    """
    outputs: dict[str, Array] = {}

    def tap(call: Callable, args: tuple, kwargs: dict, context: Any) -> Array:
        result = call(*args, **kwargs)
        if isinstance(context.module, nn.Dense) and context.module.name == networks.FIRST:
            outputs[networks.FIRST] = result
        return result

    with nn.intercept_methods(tap):
        networks.apply(spec, classes, params, inputs, phase)
    return outputs


def _layer_gram(
    inputs: Float[Array, "*positions fan_in"],
    deltas: Float[Array, "action *positions fan_out"],
    bias: bool,
) -> Float[Array, "action action"]:
    """One layer's part of `logit_grams`, for one example."""
    exact = lax.Precision.HIGHEST
    if inputs.ndim == 1:
        squared = jnp.sum(inputs**2) + bias
        return squared * jnp.einsum("ao,bo->ab", deltas, deltas, precision=exact)
    gradient = jnp.einsum("pi,apo->aio", inputs, deltas, precision=exact)
    gram = jnp.einsum("aio,bio->ab", gradient, gradient, precision=exact)
    whole = deltas.sum(axis=1)
    return gram + bias * jnp.einsum("ao,bo->ab", whole, whole, precision=exact)


def squared_norms(
    grams: Float[Array, "action action batch"], cotangents: Float[Array, "*more action batch"]
) -> Float[Array, "*more batch"]:
    """`|J^T u|^2 = u^T G u`."""
    product = jnp.einsum("abn,...bn->...an", grams, cotangents, precision=lax.Precision.HIGHEST)
    return jnp.sum(cotangents * product, axis=-2)


def example_moments(
    grams: Float[Array, "action action batch"], measured: Measured, loss: Loss
) -> dict[str, Float[Array, "batch"]]:
    """Uncentred parts of the estimator whose loss is given, and the terms of `Moments`.

    Exact over actions; their means over the rollout are traces, and `grading`, E[c - c^2], is
    exactly 0 where every score is 0 or 1. `loss(logits, actions, advantages)` is a mean over the
    batch in which no example's derivative depends on the others'.
    """
    policy, value = jnp.exp(losses.log_policy(measured.logits)), measured.value
    right = losses.actions_first(measured.right)
    accuracy = jnp.sum(policy * right, axis=0)
    taken, future, each = _cotangents(measured, loss)
    mean = jnp.sum(policy[:, None] * each, axis=0)
    answer = policy * (right - accuracy)  # derivative of E[c | x] in the logits
    scores = jnp.eye(len(policy))[..., None] - policy
    total, future, mean_square, squares, norms, state_signal = (
        squared_norms(grams, vectors) for vectors in (taken, future, mean, each, scores, answer)
    )
    fisher = jnp.sum(policy * norms, axis=0)
    correct = jnp.sum(policy * right * norms, axis=0)
    return {
        "total": total,
        "future": future,
        "action": jnp.sum(policy * squares, axis=0) - mean_square,
        "state": mean_square,
        "accuracy": accuracy,
        "accuracy_square": accuracy**2,
        "fisher": fisher,
        "correct": correct,
        "grading": jnp.sum(policy * (right - right**2), axis=0),
        "state_signal": state_signal,
        "value_fisher": fisher * value,
        "value_correct": correct * value,
        "value_square": fisher * value**2,
        "value_variance": value**2,
        "value_covariance": accuracy * value,
    }


def _cotangents(
    measured: Measured, loss: Loss
) -> tuple[
    Float[Array, "action batch"], Float[Array, "action batch"], Float[Array, "choice action batch"]
]:
    """Minus the loss's derivative in the logits: of each example, times their number.

    For the actions taken; what the future adds to it; and for every action, by its mean advantage.
    """
    count, classes = measured.logits.shape
    gradient = jax.grad(loss)

    def cotangents(actions: Array, advantages: Array) -> Array:
        each = gradient(measured.logits, actions, advantages)
        return -count * losses.actions_first(each)

    def of_action(action: Array) -> Array:
        return cotangents(jnp.full(count, action), measured.expected[:, action])

    actions = measured.actions
    taken = cotangents(actions, measured.advantages)
    expected = cotangents(actions, losses.pick(measured.expected, actions))
    return taken, taken - expected, jax.vmap(of_action)(jnp.arange(classes))


def _loss(spec: TrainSpec, measured: Measured, normalise: str = "none") -> Loss:
    """The trainer's policy-gradient loss, or the one with an action-dependent baseline.

    Args:
        spec: of the program.
        measured: a rollout; sigma is that of its advantages.
        normalise: what is divided by sigma (`action_baselines.NORMALISED`).
    """
    if not (spec.action_fraction or spec.action_error):
        return losses.policy_gradient_loss
    phi = action_baselines.baseline_of(measured.expected, spec.action_fraction, spec.action_error)
    scales = action_baselines.scales(measured.advantages, normalise)

    def loss(logits: Array, actions: Array, advantages: Array) -> Array:
        return action_baselines.action_dependent_loss(logits, actions, advantages, phi, *scales)

    return loss


def _mean_cotangent(measured: Measured, loss: Loss) -> Float[Array, "batch action"]:
    """Minus the derivative of the loss's mean over actions and the future, times their number."""
    policy = jnp.exp(losses.log_policy(measured.logits))
    *_, each = _cotangents(measured, loss)
    return jnp.moveaxis(jnp.sum(policy[:, None] * each, axis=0), 0, -1)


def _roll_out(
    spec: TrainSpec, state: RunState, run: RunParams, task: Task, draws: Draws
) -> tuple[Measured, Gradients, adv.Window, Float[Array, ""]]:
    """One rollout, the sums of `_gradient_names` over it, its window and mean value."""
    right = task.pays(draws.labels.reshape(-1), draws.paid)
    phase_inputs = training.visible_phase(spec, state, run)

    def apply(params: Params) -> Array:
        return networks.apply(spec.network, task.classes, params, draws.inputs, phase_inputs)

    logits, pull_back = jax.vjp(apply, state.params)
    answers = jax.grad(lambda logits: jnp.sum(jax.nn.softmax(logits) * right))
    gradients = {"answer": pull_back(answers(logits))[0]}
    rollout = training.roll_out(logits, state, run, task, draws)
    window = rollout.window
    net, _ = training.net_values(spec, state, draws, phase_inputs)
    net = None if net is None else net.reshape(draws.labels.shape)
    mean = jnp.float32(0) if net is None else net.mean()
    expected, centred = training.expected_advantages(spec, run, state, window, net, right)
    advantages = adv.advantages(
        window,
        spec.baseline,
        run.discount,
        run.gae_lambda,
        run.reward,
        state.running_mean,
        net,
    )
    measured = Measured(
        rollout.actions,
        logits,
        advantages.reshape(-1),
        expected,
        right,
        centred,
    )
    for name, normalise in zip(_gradient_names(spec)[1:], ("both", "advantage"), strict=False):
        loss = _loss(spec, measured, normalise)
        (gradients[name],) = pull_back(_mean_cotangent(measured, loss))
    return measured, gradients, window, mean


def _moments(sums: dict[str, Array], signal: Array) -> Moments:
    names = ("fisher", "correct", "square", "variance", "covariance", "mean")
    values = ValueMoments(**{name: sums[f"value_{name}"] for name in names})
    scores = {name: sums[name] for name in ("accuracy", "fisher", "correct", "state_signal")}
    spread = sums["accuracy_square"] - sums["accuracy"] ** 2
    return Moments(**scores, signal=signal, values=values, example_variance=spread)


def _predict(
    spec: TrainSpec,
    run: RunParams,
    moments: Moments,
    running_mean: Array,
    phases: Int[Array, "rollout"],
) -> tuple[dict[str, Array], Array]:
    """Predicted parts, and the mean over steps of |E g|^2, over rollouts that begin at `phases`."""

    def of_phase(phase: Array) -> Covariance:
        estimator = training.estimator_of(spec, run, phase, running_mean)
        return run.reward.window_covariance(estimator, moments, spec.batch)

    mean = jax.tree.map(lambda leaf: leaf.mean(axis=0), lax.map(of_phase, phases))
    predicted = {f"predicted_{name}": getattr(mean, name) for name in PARTS}
    return predicted, mean.signal_square * moments.signal
