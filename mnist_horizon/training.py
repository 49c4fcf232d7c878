"""The trainer: runs of one program, updated together, in groups that share observations.

Axes: `group` (one seed, or a part of it) and `run` (horizons, schedules, learning rates) within a
group. Runs of a group see the same examples and the same uniforms for actions and rewards (common
random numbers); across seeds all is independent. `make_train` returns pure functions over states
whose leaves begin with [group, run], or [group, input, run, width] for the first layer's kernels.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, no_type_check

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array
from jax.extend.random import threefry_2x32
from jaxtyping import Bool, Float, Int, Key, UInt32

from mnist_horizon import action_baselines, losses, networks, optimizers
from mnist_horizon import advantages as adv
from mnist_horizon.algorithms import ALGORITHMS
from mnist_horizon.baselines import BASELINES
from mnist_horizon.environment import index_of, phase_features
from mnist_horizon.errors import check_choice
from mnist_horizon.networks import NetworkSpec
from mnist_horizon.schedules import Estimator, Reward, States
from mnist_horizon.tasks import Task

RUNNING_MEAN_RATE = 0.05
EVALUATION_PART = 1024
INIT_STREAM, NOISE_STREAM, MINIBATCH_STREAM = range(3)
"""Folded into a seed's key; `noise.py` has the second. The draws of updates use the key itself."""

Params = dict[str, Any]


@dataclass(frozen=True)
class TrainSpec:
    """All that is static in a program: shapes, and which code runs.

    Raises:
        InputError: a name is unknown; the message lists the choices.
    """

    network: NetworkSpec
    environments: int
    rollout_length: int
    algorithm: str = "vpg"
    epochs: int = 1
    minibatches: int = 1
    clip: float = 0.2
    baseline: str = "expected_reward"
    optimizer: str = "adam"
    rule: str = "constant"
    kl_penalty: bool = False
    action_fraction: float = 0.0
    action_error: float = 0.0
    action_normalise: str = "none"

    def __post_init__(self) -> None:
        check_choice("algorithm", self.algorithm, ALGORITHMS)
        check_choice("baseline", self.baseline, BASELINES)
        check_choice("optimizer", self.optimizer, optimizers.names())
        check_choice("rule", self.rule, networks.RULES)
        check_choice("action_normalise", self.action_normalise, action_baselines.NORMALISED)

    @property
    def batch(self) -> int:
        """Interactions per update."""
        return self.environments * self.rollout_length

    @property
    def has_action_baseline(self) -> bool:
        """Whether the loss is that of `action_baselines`."""
        return (
            self.action_fraction > 0 or bool(self.action_error) or self.action_normalise != "none"
        )


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class RunParams:
    """The numbers in which the runs of a program differ; all are traced."""

    reward: Reward
    discount: Float[Array, "*runs"]
    gae_lambda: Float[Array, "*runs"]
    learning_rate: Float[Array, "*runs"]
    entropy_coef: Float[Array, "*runs"]
    kl_coef: Float[Array, "*runs"]
    """Like `entropy_coef`, times the schedule's `marginal_reward` at each update's accuracy."""
    decay: Float[Array, "*runs"]
    """Of the learning rate, per update: batch / E_0 of `learning_rate_factor`; 0 for none."""


METRICS = ("return_mean", "reward_mean", "train_accuracy", "entropy", "gold_mean")
"""What `Metrics` sums, by column of a results table: the mean of pi(label | x) of the acting
policy, the reward received per step, how often the most probable action was right, nats per step;
last, only of a task that pays a proxy, the mean score.
"""


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class Metrics:
    """Sums over updates of means over the batch; `means` divides by the number of updates."""

    sums: Float[Array, "*runs metric"]
    """Of each of `METRICS`."""
    updates: Int[Array, "*runs"]
    """Number of updates in the sums."""

    @property
    def means(self) -> dict[str, Any]:
        """Means per update by column of a results table, each [*runs]."""
        means = self.sums / self.updates[..., None]
        return {name: means[..., i] for i, name in enumerate(METRICS[: means.shape[-1]])}


@no_type_check  # JAX also fills pytrees with shapes and axes
@struct.dataclass
class RunState:
    """Everything a run carries from update to update."""

    params: Params
    value_params: Params
    optimizer: optax.OptState
    phase: Int[Array, "*runs"]
    carried: Float[Array, "*runs env"]
    running_mean: Float[Array, "*runs"]
    diverged_at: Int[Array, "*runs"]
    """The first update whose parameters were not finite, or -1."""
    metrics: Metrics
    """Sums since they were last reset."""


class Draws(NamedTuple):
    """One update's randomness and examples, shared by the runs of a group."""

    inputs: Float[Array, "batch ..."]
    labels: Int[Array, "time env"]
    action_uniform: Float[Array, "time env"]
    reward_uniform: Float[Array, "time env"]
    minibatch_key: Key[Array, ""]
    paid: Float[Array, "batch action"] | None = None
    """`Examples.paid_at` of the examples."""


class Rollout(NamedTuple):
    """The policy's actions in one rollout, and their rewards."""

    actions: Int[Array, "batch"]
    greedy_right: Float[Array, "batch"]
    window: adv.Window
    gold: Float[Array, "batch"] | None = None
    """The policy's expected score, where what is paid is not the score."""


class Batch(NamedTuple):
    """A rollout's interactions as a loss uses them, before any update of the parameters."""

    inputs: Float[Array, "batch ..."]
    phase_inputs: Float[Array, "batch 2"] | None
    actions: Int[Array, "batch"]
    advantages: Float[Array, "batch"]
    logits: Float[Array, "batch action"]
    reference: Float[Array, "batch action"] | None
    values: Float[Array, "batch"] | None
    scores: Float[Array, "batch action"]
    """c of every action, for an algorithm that sees them all (`algorithms.REFERENCES`)."""
    action_baseline: Float[Array, "batch action"] | None = None
    """phi(x, a) of every action (`action_baselines`), where there is one."""


class Train(NamedTuple):
    """The pure functions of a program; jit them with the task as an argument.

    Arrays begin with [group, run], where a group is one seed (or a part of it) whose runs share
    observations, except for the first layer's kernels: [group, input, run, width] (`run_axes`).

    `init(keys, task, runs) -> state`: keys [group], the numbers of `runs` [group, run].

    `update(state, runs, task, keys, first, updates, continues=False) -> (state, metrics)`: does
    `updates` updates, numbered from `first`. Both are traced, so that any count shares one
    compilation. The metrics, [group, run], are of these updates alone; with `continues` they are
    added to those of the calls before, with the same bits as in one call.

    `evaluate(state, task, keys, examples=None) -> {name: [group, run]}`: on the first `examples` of
    the test split, traced, so that any number shares one compilation; by default on all of it.
    """

    init: Callable[[Key[Array, "group"], Task, RunParams], RunState]
    update: Callable[..., tuple[RunState, Metrics]]
    evaluate: Callable[..., dict[str, Array]]


def make_train(spec: TrainSpec) -> Train:
    """The functions that initialise, update and evaluate the runs of a program.

    Runs of a seed start from the same parameters and see the same examples and uniforms; everything
    in which they differ is in `RunParams`. `tests/mnist_horizon/test_training.py` has an example.

    Args:
        spec: all that is static: shapes, and which code runs.
    """

    def init(keys: Key[Array, "group"], task: Task, runs: RunParams) -> RunState:
        def init_one(key: Array, run: RunParams) -> RunState:
            return init_run(spec, key, task)

        axes = run_axes(jax.eval_shape(init_one, keys[0], runs))
        return jax.vmap(jax.vmap(init_one, (None, 0), axes))(keys, runs)

    def update(
        state: RunState,
        runs: RunParams,
        task: Task,
        keys: Key[Array, "group"],
        first: Int[Array, ""] | int,
        updates: Int[Array, ""] | int,
        continues: Bool[Array, ""] | bool = False,
    ) -> tuple[RunState, Metrics]:
        initial = jax.vmap(lambda key: init_run(spec, key, task).params)(keys)

        def one_group(
            number: Array, state: RunState, runs: RunParams, key: Array, initial: Params
        ) -> RunState:
            draws = draw(spec, key, number, task)

            def one_run(state: RunState, run: RunParams) -> RunState:
                return update_run(spec, state, run, task, draws, initial, number)

            axes = run_axes(state)
            return jax.vmap(one_run, (axes, 0), axes)(state, runs)

        def body(number: Array, state: RunState) -> RunState:
            return jax.vmap(one_group, (None, 0, 0, 0, 0))(number, state, runs, keys, initial)

        initial_sums = jax.tree.map(lambda sums: jnp.where(continues, sums, 0), state.metrics)
        state = dataclasses.replace(state, metrics=initial_sums)
        state = jax.lax.fori_loop(first, first + updates, body, state)
        return state, state.metrics

    def evaluate(
        state: RunState,
        task: Task,
        keys: Key[Array, "group"],
        examples: Int[Array, ""] | int | None = None,
    ) -> dict[str, Float[Array, "group run"]]:
        count = jnp.int32(task.test.labels.shape[0] if examples is None else examples)

        def one_group(params: Params, key: Array) -> dict[str, Array]:
            initial = init_run(spec, key, task).params
            evaluate_one = lambda params: evaluate_run(spec, params, initial, task, count)  # noqa: E731
            return jax.vmap(evaluate_one, (run_axes(params),))(params)

        return jax.vmap(one_group)(state.params, keys)

    return Train(init, update, evaluate)


def run_axes(tree: Any) -> Any:
    """Position of the run axis of each leaf within a group: 0, or 1 for first-layer kernels.

    Stacked as [input, run, width] the first kernels form one matrix for the group's inputs.
    """

    def axis(path: tuple[Any, ...], _: Any) -> int:
        names = [getattr(entry, "key", None) for entry in path]
        return 1 if names[-2:] == [networks.FIRST, "kernel"] else 0

    return jax.tree_util.tree_map_with_path(axis, tree)


def init_run(spec: TrainSpec, key: Array, task: Task) -> RunState:
    """A run's initial state. It depends only on the seed's key, so runs of a seed share it.

    Where the task has an `initial` policy, all seeds begin from that one.
    """
    shape = task.train.images.shape[1:]
    policy_key, value_key = jax.random.split(jax.random.fold_in(key, INIT_STREAM))
    params = task.initial
    if params is None:
        params = networks.init(spec.network, task.classes, shape, policy_key)
    value_params = {}
    if spec.baseline == "value_net":
        value_params = networks.init(spec.network, 1, shape, value_key)
    zero = jnp.float32(0)
    return RunState(
        params=params,
        value_params=value_params,
        optimizer=optimizers.build(spec.optimizer).init((params, value_params)),
        phase=jnp.int32(0),
        carried=jnp.zeros(spec.environments),
        running_mean=zero,
        diverged_at=jnp.int32(-1),
        metrics=Metrics(jnp.zeros(len(METRICS) - (not task.has_gold)), jnp.int32(0)),
    )


def draw(spec: TrainSpec, key: Array, number: Array, task: Task) -> Draws:
    """Examples and uniforms of update `number` of a seed.

    All bits come from one call of Threefry (Salmon et al. 2011, doi 10.1145/2063384.2063405) with
    the counters (number + 1, 0), (number + 1, 1), ...: each call is a large part of the compiled
    program. `jax.random.fold_in` has the counters (0, data), so no other stream repeats them.
    """
    shape = (3, spec.rollout_length, spec.environments)
    counters = jnp.arange(-(-math.prod(shape) // 2), dtype=jnp.uint32)
    counters = jnp.concatenate([jnp.full_like(counters, number + 1), counters])
    bits = threefry_2x32(jax.random.key_data(key)[:2], counters)[: math.prod(shape)].reshape(shape)
    index = index_of(bits[0], task)
    return Draws(
        inputs=networks.first_inputs(spec.network, task.train.images[index.reshape(-1)]),
        labels=task.train.labels[index],
        action_uniform=uniform_of(bits[1]),
        reward_uniform=uniform_of(bits[2]),
        minibatch_key=jax.random.fold_in(jax.random.fold_in(key, MINIBATCH_STREAM), number),
        paid=task.train.paid_at(index.reshape(-1)),
    )


def uniform_of(bits: UInt32[Array, "*n"]) -> Float[Array, "*n"]:
    """Uniforms on [0, 1) with 24 bits, as many as an f32 below 1 holds."""
    return (bits >> 8).astype(jnp.float32) * 2.0**-24


def sample_actions(
    probabilities: Float[Array, "batch action"], uniform: Float[Array, "batch"]
) -> Int[Array, "batch"]:
    """Actions by inverse CDF: one uniform per interaction, common to the runs that share it."""
    # One addition and comparison of long vectors per action; jnp.cumsum is a windowed reduction on
    # CPUs and several kernels on GPUs.
    cumulative, actions = jnp.zeros_like(uniform), jnp.zeros_like(uniform, jnp.int32)
    for probability in losses.actions_first(probabilities)[:-1]:
        cumulative += probability
        actions += cumulative <= uniform
    return actions


def roll_out(
    logits: Float[Array, "batch action"],
    state: RunState,
    run: RunParams,
    task: Task,
    draws: Draws,
) -> Rollout:
    """Sample actions for a rollout's examples, given their logits, and compute the rewards."""
    policy = jnp.exp(losses.log_policy(logits))
    shape, labels = draws.labels.shape, draws.labels.reshape(-1)
    actions = sample_actions(jnp.moveaxis(policy, 0, -1), draws.action_uniform.reshape(-1))
    correct = task.pay(labels, draws.paid, actions).astype(jnp.float32).reshape(shape)
    payments = run.reward.rewards(correct, draws.reward_uniform, state.phase, state.carried)
    success = _expected(policy, task.pays(labels, draws.paid)).reshape(shape)
    gold = _expected(policy, task.scores(labels)) if task.has_gold else None
    greedy = task.is_right(labels, jnp.argmax(losses.actions_first(logits), axis=0))
    window = adv.Window(*payments, correct, success)
    return Rollout(actions, greedy, window, gold)


def _expected(
    policy: Float[Array, "action batch"], scores: Float[Array, "batch action"]
) -> Float[Array, "batch"]:
    """Mean scores of the policy, exact over actions: of the default score the bits of pi(label)."""
    scores = losses.actions_first(scores)
    # Masked, since XLA for CPUs would make a slow matrix product of the plain sum of products.
    return jnp.sum(jnp.where(scores != 0, policy * scores, 0.0), axis=0)


def policy_loss(
    spec: TrainSpec, logits: Float[Array, "batch action"], batch: Batch, run: RunParams
) -> Float[Array, ""]:
    """The algorithm's objective, less the entropy bonus, plus the KL penalty.

    Cross-entropy stands alone: bonus and penalty are in units of reward.
    """
    if spec.algorithm == "supervised":
        return losses.cross_entropy(logits, batch.scores)
    if spec.algorithm == "exact":
        loss = -losses.expected_score(logits, batch.scores).mean()
    elif batch.action_baseline is not None:
        sampled = logits, batch.actions, batch.advantages, batch.action_baseline
        loss = action_baselines.normalised_loss(*sampled, spec.action_normalise)
    elif spec.algorithm == "vpg":
        loss = losses.policy_gradient_loss(logits, batch.actions, batch.advantages)
    else:
        old = losses.log_probability(batch.logits, batch.actions)
        loss = losses.clipped_loss(logits, batch.actions, batch.advantages, old, spec.clip)
    loss -= run.entropy_coef * losses.entropy(logits).mean()
    if batch.reference is not None:
        loss += run.kl_coef * losses.kl_divergence(logits, batch.reference).mean()
    return loss


def visible_phase(
    spec: TrainSpec, state: RunState, run: RunParams
) -> Float[Array, "batch 2"] | None:
    """The phase of every interaction as the networks see it; None where it is hidden."""
    if not spec.network.phase_visible:
        return None
    phase = (state.phase + jnp.arange(spec.rollout_length)) % run.reward.window
    return jnp.repeat(phase_features(phase, run.reward.window), spec.environments, axis=0)


def net_values(
    spec: TrainSpec, state: RunState, draws: Draws, phase_inputs: Float[Array, "batch 2"] | None
) -> tuple[Float[Array, "batch"] | None, Callable[..., Any] | None]:
    """Values of the rollout's states and their VJP function, where the baseline is a value net."""
    if spec.baseline != "value_net":
        return None, None

    def apply(params: Params) -> Float[Array, "batch"]:
        return networks.apply(spec.network, 1, params, draws.inputs, phase_inputs)[:, 0]

    return jax.vjp(apply, state.value_params)


def update_run(
    spec: TrainSpec,
    state: RunState,
    run: RunParams,
    task: Task,
    draws: Draws,
    initial: Params,
    number: Int[Array, ""],
) -> RunState:
    """One update of one run: rollout, advantages, gradient, step (but for PPO one forward pass)."""
    phase_inputs = visible_phase(spec, state, run)

    def apply(params: Params) -> Float[Array, "batch action"]:
        return networks.apply(spec.network, task.classes, params, draws.inputs, phase_inputs)

    logits, pull_back = jax.vjp(apply, state.params)
    rollout = roll_out(logits, state, run, task, draws)
    reference = apply(initial) if spec.kl_penalty else None
    values, pull_back_value = net_values(spec, state, draws, phase_inputs)
    advantages = adv.advantages(
        rollout.window,
        spec.baseline,
        run.discount,
        run.gae_lambda,
        run.reward,
        state.running_mean,
        None if values is None else values.reshape(draws.labels.shape),
    ).reshape(-1)
    # A streak's signal grows with the accuracy; with fixed coefficients, bonus and penalty would
    # outweigh it at chance accuracy, and no policy would learn.
    signal = run.reward.marginal_reward(rollout.window.accuracy)
    run = dataclasses.replace(
        run,
        learning_rate=run.learning_rate * learning_rate_factor(run.decay, number),
        entropy_coef=run.entropy_coef * signal,
        kl_coef=run.kl_coef * signal,
    )
    pays = task.pays(draws.labels.reshape(-1), draws.paid)
    phi = None
    if spec.has_action_baseline:
        expected, _ = expected_advantages(spec, run, state, rollout.window, values, pays)
        phi = action_baselines.baseline_of(expected, spec.action_fraction, spec.action_error)
    batch = Batch(
        draws.inputs,
        phase_inputs,
        rollout.actions,
        advantages,
        logits,
        reference,
        values,
        pays,
        phi,
    )
    if spec.algorithm != "ppo":
        gradient = whole_gradient(spec, batch, run, pull_back, pull_back_value)
        state = _apply_gradient(spec, state, run, gradient)
    else:
        state = ppo_updates(spec, state, run, task, batch, draws.minibatch_key)
    return _advance(state, rollout, logits, number)


def estimator_of(spec: TrainSpec, run: RunParams, phase: Array, running_mean: Array) -> Estimator:
    """The trainer's estimator of advantages, over a rollout that begins at `phase`."""
    shape = (spec.baseline, spec.rollout_length)
    return Estimator(*shape, run.discount, run.gae_lambda, phase, running_mean)


def expected_advantages(
    spec: TrainSpec,
    run: RunParams,
    state: RunState,
    window: adv.Window,
    values: Float[Array, "*steps"] | None,
    right: Float[Array, "batch action"],
) -> tuple[Float[Array, "batch action"], Float[Array, "batch"]]:
    """E[A | state, action] of every action, and z(x), the state baseline less its mean.

    With the window's own estimate of mu, as the trainer centres rewards; NaN where no closed form
    is known (`Schedule.expected_advantages`).

    Args:
        spec: of the program.
        run: its numbers.
        state: before the rollout.
        window: of the rollout.
        values: of the value net, where there is one, [batch] or [time, env].
        right: c of every action.
    """
    zero = jnp.zeros_like(window.rewards)
    net = None if values is None else values.reshape(zero.shape)
    mean = jnp.float32(0) if net is None else net.mean()
    exact = window.success_probability - window.accuracy
    value = {"state": exact, "value_net": zero if net is None else net - mean}
    centred = value.get(spec.baseline, zero)
    states = States(
        window.phase[:-1], window.carried[:-1], window.success_probability, window.accuracy
    )
    estimator = estimator_of(spec, run, window.phase[0], state.running_mean)
    both = run.reward.expected_advantages(estimator, states, centred, mean)
    if_wrong, if_right = (one.reshape(-1, 1) for one in both)
    return if_wrong + (if_right - if_wrong) * right, centred.reshape(-1)


def learning_rate_factor(decay: Float[Array, ""], number: Int[Array, ""]) -> Float[Array, ""]:
    """Learning rate at an update in units of the first: `(1 + E / E_0)^(-1/2)`.

    It does not depend on the budget, so runs of a longer sweep start like those of a shorter one.

    Args:
        decay: batch / E_0; 0 for a constant rate.
        number: of the update, E / batch.
    """
    return (1 + number * decay) ** -0.5


def whole_gradient(
    spec: TrainSpec,
    batch: Batch,
    run: RunParams,
    pull_back: Callable[..., Any],
    pull_back_value: Callable[..., Any] | None,
) -> tuple[Params, Params]:
    """Gradient of policy and value net through the forward pass that the actions came from."""

    def loss(logits: Float[Array, "batch action"]) -> Float[Array, ""]:
        return policy_loss(spec, logits, batch, run)

    (gradient,) = pull_back(jax.grad(loss)(batch.logits))
    if pull_back_value is None or batch.values is None:
        return gradient, {}
    targets = batch.advantages + batch.values
    (value_gradient,) = pull_back_value(jax.grad(losses.value_loss)(batch.values, targets))
    return gradient, value_gradient


def ppo_updates(
    spec: TrainSpec, state: RunState, run: RunParams, task: Task, batch: Batch, key: Array
) -> RunState:
    """`epochs` passes over the window in random `minibatches`, a gradient step on each (PPO)."""

    def loss(both: tuple[Params, Params], part: Batch) -> Float[Array, ""]:
        phase = part.phase_inputs
        logits = networks.apply(spec.network, task.classes, both[0], part.inputs, phase)
        total = policy_loss(spec, logits, part, run)
        if part.values is None:
            return total
        values = networks.apply(spec.network, 1, both[1], part.inputs, phase)[:, 0]
        return total + losses.value_loss(values, part.advantages + part.values)

    def minibatch(state: RunState, index: Int[Array, "part"]) -> tuple[RunState, None]:
        part = jax.tree.map(lambda leaf: leaf[index], batch)
        gradient = jax.grad(loss)((state.params, state.value_params), part)
        return _apply_gradient(spec, state, run, gradient), None

    keys = jax.random.split(key, spec.epochs)
    order = jax.vmap(lambda key: jax.random.permutation(key, spec.batch))(keys)
    parts = order.reshape(spec.epochs * spec.minibatches, -1)
    return jax.lax.scan(minibatch, state, parts)[0]


def evaluate_run(
    spec: TrainSpec, params: Params, initial: Params, task: Task, count: Int[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """Greedy accuracy on test examples, and KL from the initial policy there (nats per step).

    Of a graded task also the mean score of the greedy actions; of a task that pays a proxy the
    policy's mean score there, and its mean pay.
    They are the first `count` of the test split. A visible phase is held at 0. The split is
    evaluated in parts of up to `EVALUATION_PART` examples, since its activations would otherwise
    need more memory than training; parts beyond `count` are left out.
    """
    whole = task.test.labels.shape[0]
    parts = -(-whole // EVALUATION_PART)
    size = -(-whole // parts)

    def add(number: Array, sums: dict[str, Array]) -> dict[str, Array]:
        index = number * size + jnp.arange(size)
        inside = index < count
        index = jnp.minimum(index, whole - 1)
        inputs = networks.first_inputs(spec.network, task.test.images[index])
        visible = spec.network.phase_visible
        phase = jnp.tile(jnp.array([1.0, 0.0]), (size, 1)) if visible else None
        logits = networks.apply(spec.network, task.classes, params, inputs, phase)
        reference = networks.apply(spec.network, task.classes, initial, inputs, phase)
        labels, paid = task.test.labels[index], task.test.paid_at(index)
        greedy = jnp.argmax(logits, axis=-1)
        each = {
            "test_accuracy": task.is_right(labels, greedy),
            "kl_initial": losses.kl_divergence(logits, reference),
        }
        if task.is_graded:
            each["test_score"] = task.score(labels, greedy)
        if task.has_gold:
            each["test_gold"] = losses.expected_score(logits, task.scores(labels))
            each["test_return"] = losses.expected_score(logits, task.pays(labels, paid))
        return {name: sums[name].at[number].set(jnp.sum(inside * each[name])) for name in each}

    names = ("test_accuracy", "kl_initial", *("test_gold", "test_return") * task.has_gold)
    names += ("test_score",) * task.is_graded
    none = {name: jnp.zeros(parts) for name in names}
    sums = jax.lax.fori_loop(0, -(-count // size), add, none)
    return {name: total.sum() / count for name, total in sums.items()}


def _apply_gradient(
    spec: TrainSpec, state: RunState, run: RunParams, gradient: tuple[Params, Params]
) -> RunState:
    both = (state.params, state.value_params)
    direction, optimizer = optimizers.build(spec.optimizer).update(gradient, state.optimizer, both)
    factors = networks.learning_rate_factors(both, spec.rule, spec.network.width)
    params, value_params = jax.tree.map(
        lambda leaf, step, factor: leaf - run.learning_rate * factor * step,
        both,
        direction,
        factors,
    )
    return dataclasses.replace(state, params=params, value_params=value_params, optimizer=optimizer)


def _advance(state: RunState, rollout: Rollout, logits: Array, number: Array) -> RunState:
    """Carry the reward window over, and sum the metrics of the acting policy."""
    window = rollout.window
    each = (
        window.success_probability,
        window.rewards,
        rollout.greedy_right,
        losses.entropy(logits),
        *(() if rollout.gold is None else (rollout.gold,)),
    )
    # One reduction of all rows, in place of one each.
    means = jnp.stack([leaf.reshape(-1) for leaf in each]).mean(axis=1)
    reward, entropy = means[1], means[3]
    rate = RUNNING_MEAN_RATE
    bad = ~jnp.isfinite(entropy + reward)
    metrics = state.metrics
    return dataclasses.replace(
        state,
        phase=window.phase[-1],
        carried=window.carried[-1],
        running_mean=(1 - rate) * state.running_mean + rate * reward,
        diverged_at=jnp.where((state.diverged_at < 0) & bad, number, state.diverged_at),
        metrics=Metrics(metrics.sums + means, metrics.updates + 1),
    )
