"""Device memory of a program, estimated beforehand, so that programs are cut to fit.

Counted is what lives at once in the compiled update, in the compiled evaluation, or in the compiled
measurement of gradient noise, whichever is larger, from the shapes of the networks' dense layers
and of the optimiser's state. The factors say how many copies of an array XLA keeps; they were read
off its account of compiled programs, and `tests/mnist_horizon/devices/test_memory.py` holds them to
it. The data set, which all programs share, is not part of it (`data_bytes`), nor is what several
devices add, over which groups are split and padded (`devices.choose_layout`): `--dry_run` counts
both.
"""

import math
from dataclasses import dataclass

import jax

from mnist_horizon import networks
from mnist_horizon.networks import NetworkError
from mnist_horizon.tasks import Task
from mnist_horizon.training import EVALUATION_PART, TrainSpec, init_run

FLOAT = 4
LOGITS_OF_UPDATE, LOGITS_OF_EVALUATION = 5, 3
"""Arrays of the logits' size: probabilities, their sums, what is added to their gradient."""


@dataclass(frozen=True)
class ProgramMemory:
    """Bytes that each run of a program needs, and that the runs of a group need together."""

    run: int
    group: int

    def total(self, groups: int, runs: int) -> int:
        """Bytes of a program of so many groups with so many runs each."""
        return groups * (self.group + runs * self.run)


@dataclass(frozen=True)
class HiddenLayer:
    """Floats of a layer for one interaction."""

    outputs: int
    copies: int
    """What it sees, where that is a copy (patches) of what the layer before gives; else 0."""
    is_spatial: bool
    """Whether it is applied at several positions, as a convolution is."""


@dataclass(frozen=True)
class NetworkFloats:
    """Floats of one network: parameters, and for an interaction each layer's arrays."""

    parameters: int
    first: int
    """What the first layer sees; the runs of a group share it."""
    hidden: tuple[HiddenLayer, ...]
    outputs: int
    is_bf16: bool

    @property
    def activations(self) -> int:
        """What all hidden layers give."""
        return sum(layer.outputs for layer in self.hidden)

    @property
    def training(self) -> float:
        """Kept from the forward pass for the backward pass, and its gradient on the way.

        Each hidden layer before and after its activation; a last convolution once more, turned
        into the linear layer's order; patches with a third of their gradient, in the type of the
        products.
        """
        last = self.hidden[-1].outputs * self.hidden[-1].is_spatial
        copies = sum(layer.copies for layer in self.hidden) * (2 / 3 if self.is_bf16 else 4 / 3)
        return 2 * self.activations + last + copies

    @property
    def forward(self) -> float:
        """At the widest place of a forward pass that keeps nothing."""
        arrays = 1.5 if self.is_bf16 else 2.0
        before = [0, *(layer.outputs for layer in self.hidden)]
        return float(
            max(
                max(
                    arrays * layer.outputs,
                    arrays * low + layer.copies + layer.outputs * layer.is_spatial,
                )
                for low, layer in zip(before, self.hidden, strict=False)
            )
        )

    @property
    def rearranged(self) -> float:
        """Parameters in the order, or the type, that the evaluation's products want."""
        return self.parameters * (0.5 if self.is_bf16 else 1.0)


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
    if noise_samples:
        shared = max(shared, _measurement(spec, policy))
    run = state + max(_update(spec, nets, state), evaluation + policy.rearranged)
    return ProgramMemory(run=math.ceil(FLOAT * run), group=FLOAT * shared)


def data_bytes(task: Task) -> int:
    """Bytes of the data set on a device."""
    return int(sum(leaf.nbytes for leaf in jax.tree.leaves(task)))


def _update(spec: TrainSpec, nets: list[NetworkFloats], state: int) -> float:
    """Floats per update: while the batch is worked on, or while its gradient is added up.

    PPO's passes over minibatches carry a copy of the state.
    """
    batch, parameters = spec.batch, sum(net.parameters for net in nets)
    logits = LOGITS_OF_UPDATE * nets[0].outputs
    if spec.algorithm == "ppo":
        part = batch // spec.minibatches
        acting = batch * (max(net.forward for net in nets) + logits)
        training = part * sum(net.training for net in nets) + parameters + batch * logits
        return float(max(acting, training + state))
    working = batch * (sum(net.training for net in nets) + logits)
    return float(max(working, batch * sum(net.activations for net in nets) + parameters))


def _measurement(spec: TrainSpec, policy: NetworkFloats) -> int:
    """Floats of a group while the noise of one of its runs is measured (`noise.measure`).

    Backward signals of every logit at every hidden layer, and what the advantage at each step of a
    rollout owes to each other step.
    """
    signals = spec.batch * policy.outputs * policy.activations
    steps = spec.rollout_length**2
    return max(3 * signals, signals + 3 * steps // 2)


def _floats(spec: TrainSpec, outputs: int, task: Task) -> NetworkFloats:
    """Floats of a network with so many outputs, from its dense layers.

    The last layer's outputs are counted as logits. A layer that looks at the phase adds to another.
    """
    network, shape = spec.network, task.train.images.shape[1:]
    layers = networks.dense_layers(network, outputs, shape)
    layers = tuple(layer for layer in layers if layer.name != networks.PHASE)
    if not layers:
        raise NetworkError(
            f"network {network.name!r}: its memory cannot be told: it has no nn.Dense"
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
    """Floats of the optimiser's arrays; its counters are no more than the state's other scalars."""
    state = jax.eval_shape(lambda task: init_run(spec, jax.random.key(0), task).optimizer, task)
    leaves = [leaf for leaf in jax.tree.leaves(state) if leaf.shape]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves) // FLOAT


def _evaluation_rows(task: Task) -> int:
    """Examples of the test split that are looked at together."""
    count = task.test.labels.shape[0]
    return math.ceil(count / math.ceil(count / EVALUATION_PART))
