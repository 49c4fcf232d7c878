"""Device memory of a program, estimated beforehand, so that programs can be split to fit.

The estimate counts the arrays that exist at the same time in the compiled update, evaluation, or
measurement of gradient noise, whichever is larger, from the shapes of the networks' dense layers
and of the optimiser's state. The factors say how many copies of an array XLA keeps; they come from
its memory analysis of compiled programs, and `tests/mnist_horizon/devices/test_memory.py` checks
them. Two parts are not included but counted by `--dry_run`: the data set, which all programs share
(`data_bytes`), and the padding of groups over several devices (`devices.choose_layout`).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from mnist_horizon import networks, optimizers
from mnist_horizon.networks import NetworkError
from mnist_horizon.tasks import Examples, Task
from mnist_horizon.training import EVALUATION_PART, TrainSpec

FLOAT = 4
LOGITS_OF_LOSS, LOGITS_OF_EVALUATION = 5, 2
"""Arrays of the logits' size: themselves, probabilities, their sums, what is added to their
gradient; in an evaluation themselves and one more, since nothing is derived from them."""
PARAMETERS_OF_MEASUREMENT = 3
"""While a rollout's gradient is computed: a run's own, that gradient, its sum over rollouts."""
INPUTS_OF_MEASUREMENT = 2
"""The observations of a rollout, and once more in the order of the other product."""

MEASURED_FLOATS, SIGNAL_FLOATS = 2**24, 2**20
"""Of a group while gradient noise is measured: at most this many if its runs need less (64 MiB),
and backward signals of the logits, which fit into a processor's cache."""


@dataclass(frozen=True)
class Measurement:
    """How the gradient noise of a group's runs is measured (`noise.measure`), and its floats."""

    runs: int
    """Measured at once."""
    examples: int
    """Whose Gram matrices are computed at once."""
    floats: int


@dataclass(frozen=True)
class ProgramMemory:
    """Bytes that each run of a program needs, and that the runs of a group need together."""

    run: int
    group: int
    state: int = 0
    """Of `run`: what it needs also while noise is measured."""
    measured: Callable[[int], int] = lambda runs: 0
    """What a group of this many runs needs beside their states while noise is measured."""

    def total(self, groups: int, runs: int) -> int:
        """Bytes of a program of this many groups with this many runs each."""
        measuring = runs * self.state + self.measured(runs)
        return groups * max(self.group + runs * self.run, measuring)

    def most_runs(self, limit: int) -> int:
        """How many runs a group may have within a limit; at least one."""
        runs = max(1, (limit - self.group) // self.run)
        while runs > 1 and self.total(1, runs) > limit:
            runs -= 1
        return runs


@dataclass(frozen=True)
class HiddenLayer:
    """Floats of a layer for one interaction."""

    outputs: int
    copies: int
    """Its inputs, where they are a copy (patches) of the previous layer's outputs; else 0."""
    is_spatial: bool
    """Whether it is applied at several positions, as a convolution is."""


@dataclass(frozen=True)
class NetworkFloats:
    """Floats of one network: parameters, and for an interaction each layer's arrays."""

    parameters: int
    first: int
    """Inputs of the first layer, shared by the runs of a group."""
    hidden: tuple[HiddenLayer, ...]
    outputs: int
    is_bf16: bool

    @property
    def activations(self) -> int:
        """Outputs of all hidden layers."""
        return sum(layer.outputs for layer in self.hidden)

    @property
    def training(self) -> float:
        """Arrays kept from the forward for the backward pass, with their gradients.

        Each hidden layer before and after its activation; a last convolution once more, turned
        into the linear layer's order; patches with a third of their gradient.
        """
        last = self.hidden[-1].outputs * self.hidden[-1].is_spatial
        return 2 * self.activations + last + sum(layer.copies for layer in self.hidden) * 4 / 3

    @property
    def forward(self) -> float:
        """Peak of a forward pass that keeps nothing."""
        before = [0, *(layer.outputs for layer in self.hidden)]
        return float(
            max(
                max(
                    2 * layer.outputs,
                    2 * low + layer.copies + layer.outputs * layer.is_spatial,
                )
                for low, layer in zip(before, self.hidden, strict=False)
            )
        )

    @property
    def rounded(self) -> int:
        """A copy of the parameters for the products in bf16; on CPUs its type is f32 again."""
        return self.parameters * self.is_bf16


def program_memory(spec: TrainSpec, task: Task, noise_samples: int = 0) -> ProgramMemory:
    """What a run and a group of a program need.

    Args:
        spec: what is static in the program.
        task: the task; shapes of its arrays are enough.
        noise_samples: interactions with which gradient noise is measured, 0 where it is not.

    Raises:
        NetworkError: the network cannot take the task's observations, or has no `nn.Dense`.
    """
    policy = _floats(spec, task.classes, task)
    nets = [policy]
    if spec.baseline == "value_net":
        nets.append(_floats(spec, 1, task))
    state = sum(net.parameters for net in nets) + _optimizer_floats(spec, task)
    rows = _evaluation_rows(task)
    evaluation = rows * (policy.forward + LOGITS_OF_EVALUATION * policy.outputs)
    shared = policy.first * max(spec.batch, rows) + policy.parameters
    run = state + max(_update(spec, nets, state), evaluation + policy.rounded)
    need = ProgramMemory(run=math.ceil(FLOAT * run), group=FLOAT * shared)
    if not noise_samples:
        return need
    measured = lambda runs: FLOAT * measurement(spec, task, runs).floats  # noqa: E731
    return dataclasses.replace(need, state=FLOAT * state, measured=measured)


def compiled_bytes(compiled: Any) -> int:
    """Bytes that a compiled function needs on each device, by XLA's account of it.

    Arguments, results that are not stored in place of them, and temporary arrays.
    """
    sizes = compiled.memory_analysis()
    return int(
        sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        - sizes.alias_size_in_bytes
        + sizes.temp_size_in_bytes
    )


def program_bytes(functions: Mapping[str, Any], task: Task) -> int:
    """Bytes that a program needs on each device, by XLA's account of its compiled functions.

    The update's arguments and the test split stay where they are while any function runs, though
    the others do not take the optimiser's state; a function adds its temporary arrays, and results
    that are not stored in place of arguments.

    Args:
        functions: `update`, and others that run between updates.
        task: the task; shapes of its arrays are enough.
    """
    sizes = {name: function.memory_analysis() for name, function in functions.items()}
    stay = sizes["update"].argument_size_in_bytes + data_bytes(task.test)
    adds = [
        one.temp_size_in_bytes + one.output_size_in_bytes - one.alias_size_in_bytes
        for one in sizes.values()
    ]
    return int(stay + max(adds))


def data_bytes(task: Task | Examples) -> int:
    """Bytes of the data set, or a split, on a device; shapes of its arrays are enough."""
    return int(sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(task)))


def _update(spec: TrainSpec, nets: list[NetworkFloats], state: int) -> float:
    """Floats per update: while the loss, the layers' or the first layer's gradient is computed.

    PPO's passes over minibatches carry a copy of the state, and the gradient of one network at a
    time: the step is taken where its gradient is ready.
    """
    batch, outputs = spec.batch, nets[0].outputs
    training = sum(net.training for net in nets) + outputs
    loss = sum(net.activations for net in nets) + LOGITS_OF_LOSS * outputs
    if spec.algorithm == "ppo":
        acting = batch * (max(net.forward for net in nets) + LOGITS_OF_LOSS * outputs)
        part = batch // spec.minibatches
        gradient = max(net.parameters for net in nets)
        return float(max(acting, part * training + batch * outputs + gradient + state))
    gradient = sum(batch * net.activations + net.parameters for net in nets)
    return float(max(batch * loss, batch * training, gradient))


def measurement(spec: TrainSpec, task: Task, runs: int) -> Measurement:
    """How the gradient noise of a group of this many runs is measured.

    A run holds its first layer's outputs and the sum of its gradient. Beside these it needs, one
    after another: what a backward pass needs; the weight of each step of a rollout in the advantage
    of each other step (a lottery's predictions need several such arrays: they are not counted); and
    the backward signals of every logit at every hidden layer, for some examples at a time.
    """
    policy = _floats(spec, task.classes, task)
    held = spec.batch * policy.activations + policy.parameters + policy.rounded
    backward = spec.batch * math.ceil(policy.training) + policy.rounded
    backward += PARAMETERS_OF_MEASUREMENT * policy.parameters
    run = max(held + spec.rollout_length**2, backward)
    parts = math.ceil(runs / max(1, MEASURED_FLOATS // run))
    at_once = math.ceil(runs / parts)
    signals = at_once * policy.outputs * policy.activations
    examples = min(max(1, SIGNAL_FLOATS // signals), spec.batch)
    shared = INPUTS_OF_MEASUREMENT * policy.first * spec.batch
    floats = shared + max(at_once * run, at_once * held + examples * signals)
    return Measurement(at_once, examples, floats)


def _floats(spec: TrainSpec, outputs: int, task: Task) -> NetworkFloats:
    """Floats of a network with this many outputs, from its dense layers.

    The last layer's outputs are counted as logits. The phase's layer adds to another one.
    """
    network, shape = spec.network, task.train.images.shape[1:]
    layers = networks.dense_layers(network, outputs, shape)
    layers = tuple(layer for layer in layers if layer.name != networks.PHASE)
    if not layers:
        raise NetworkError(
            f"network {network.name!r}: its memory cannot be estimated: it has no nn.Dense"
        )
    middle = layers[:-1] or layers
    before = [layers[0].inputs, *(layer.outputs for layer in middle)]
    return NetworkFloats(
        parameters=networks.count_parameters(network, outputs, shape),
        first=layers[0].inputs,
        hidden=tuple(
            HiddenLayer(
                outputs=layer.outputs,
                copies=layer.inputs if layer.inputs > low else 0,
                is_spatial=bool(layer.positions),
            )
            for low, layer in zip(before, middle, strict=False)
        ),
        outputs=outputs,
        is_bf16=network.precision == "bf16",
    )


def _optimizer_floats(spec: TrainSpec, task: Task) -> int:
    """Floats of the optimiser's arrays; its counters are neglected, as other scalars."""
    shape = task.train.images.shape[1:]
    params = networks.parameter_shapes(spec.network, task.classes, shape)
    has_value_net = spec.baseline == "value_net"
    value_params = networks.parameter_shapes(spec.network, 1, shape) if has_value_net else {}
    state = jax.eval_shape(optimizers.build(spec.optimizer).init, (params, value_params))
    leaves = [leaf for leaf in jax.tree.leaves(state) if leaf.shape]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves) // FLOAT


def _evaluation_rows(task: Task) -> int:
    """Examples of the test split that are evaluated together."""
    count = task.test.labels.shape[0]
    return math.ceil(count / math.ceil(count / EVALUATION_PART))
