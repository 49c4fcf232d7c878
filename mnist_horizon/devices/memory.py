"""Device memory of a program, estimated beforehand, so that programs are cut to fit.

Counted is what lives at once in the compiled update, in the compiled evaluation, or in the compiled
measurement of gradient noise, whichever is larger. The factors say how many copies of an array XLA
keeps; they were read off its account of compiled programs, and
`tests/mnist_horizon/test_memory.py` holds them to it. The data set, which all programs share, is
not part of it (`data_bytes`), nor is what several devices add, over which groups are split and
padded (`devices.choose_layout`): `--dry_run` counts both.
"""

import math
from dataclasses import dataclass

import jax

from mnist_horizon import networks
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps.spec import SweepSpec, check_observations
from mnist_horizon.tasks import Task
from mnist_horizon.training import EVALUATION_PART

FLOAT = 4
LOGITS_OF_UPDATE, LOGITS_OF_EVALUATION = 5, 3
"""Arrays of the logits' size: probabilities, their sums, what is added to their gradient."""


@dataclass(frozen=True)
class Need:
    """Bytes that each run needs, and that the runs of a group need together."""

    run: int
    group: int

    def of(self, groups: int, runs: int) -> int:
        """Bytes of a program of so many groups with so many runs each."""
        return groups * (self.group + runs * self.run)


@dataclass(frozen=True)
class _Floats:
    """Floats of one network: parameters, and for an interaction each layer's arrays."""

    parameters: int
    first: int
    """What the first layer sees; the runs of a group share it."""
    hidden: list[int]
    """What each hidden layer gives."""
    patches: list[int]
    """Copies that each hidden layer sees, where it sees patches; 0 where it sees the one before."""
    outputs: int
    is_convolution: bool
    is_bf16: bool

    @property
    def training(self) -> float:
        """Kept from the forward pass for the backward pass, and its gradient on the way.

        Each hidden layer before and after its activation; a last convolution once more, turned
        into the linear layer's order; patches with a third of their gradient, in the type of the
        products.
        """
        last = self.hidden[-1] * self.is_convolution
        patches = sum(self.patches) * (2 / 3 if self.is_bf16 else 4 / 3)
        return 2 * sum(self.hidden) + last + patches

    @property
    def forward(self) -> float:
        """At the widest place of a forward pass that keeps nothing."""
        before = [0, *self.hidden]
        copies = 1.5 if self.is_bf16 else 2.0
        stages = zip(before, self.patches, self.hidden, strict=False)
        widest = (
            max(copies * high, copies * low + patch + high * self.is_convolution)
            for low, patch, high in stages
        )
        return float(max(widest))

    @property
    def rearranged(self) -> float:
        """Parameters in the order, or the type, that the evaluation's products want."""
        return self.parameters * (0.5 if self.is_bf16 else 1.0)


def needs(spec: SweepSpec, task: Task) -> dict[int, Need]:
    """What a run and a group need at each width of the sweep.

    Raises:
        SweepError: one run alone needs more than `max_program_bytes`, or the network cannot look
            at the task's observations.
    """
    check_observations(spec, task.train.images.shape[1:])
    result = {width: need(spec, width, task) for width in spec.widths}
    for number, width in enumerate(spec.widths):
        alone = result[width].of(1, 1)
        if alone > spec.max_program_bytes:
            raise SweepError(
                f"widths[{number}]: a run of width {width} needs {alone / 1e6:,.0f} MB, more than "
                f"max_program_bytes = {spec.max_program_bytes / 1e6:,.0f} MB"
            )
    return result


def need(spec: SweepSpec, width: int, task: Task) -> Need:
    """What a run and a group of this width need."""
    policy = _floats(spec, width, task.classes, task)
    nets = [policy]
    if spec.baseline == "value_net":
        nets.append(_floats(spec, width, 1, task))
    parameters = sum(net.parameters for net in nets)
    state = parameters * (3 if spec.optimizer.name == "adam" else 1)
    rows = _evaluation_rows(task)
    evaluation = rows * (policy.forward + LOGITS_OF_EVALUATION * policy.outputs)
    shared = policy.first * max(spec.batch_size, rows) + policy.parameters
    if spec.noise.samples:
        shared = max(shared, _measurement(spec, policy))
    run = state + max(_update(spec, nets, state), evaluation + policy.rearranged)
    return Need(run=math.ceil(FLOAT * run), group=FLOAT * shared)


def data_bytes(task: Task) -> int:
    """Bytes of the data set on a device."""
    return int(sum(leaf.nbytes for leaf in jax.tree.leaves(task)))


def _update(spec: SweepSpec, nets: list[_Floats], state: int) -> float:
    """Floats of an update: while the batch is worked on, or while its gradient is added up.

    PPO's passes over minibatches carry a copy of the state.
    """
    batch, parameters = spec.batch_size, sum(net.parameters for net in nets)
    logits = LOGITS_OF_UPDATE * nets[0].outputs
    if spec.algorithm.name == "ppo":
        part = batch // spec.algorithm.minibatches
        acting = batch * (max(net.forward for net in nets) + logits)
        training = part * sum(net.training for net in nets) + parameters + batch * logits
        return float(max(acting, training + state))
    working = batch * (sum(net.training for net in nets) + logits)
    return float(max(working, batch * sum(sum(net.hidden) for net in nets) + parameters))


def _measurement(spec: SweepSpec, policy: _Floats) -> int:
    """Floats of a group while the noise of one of its runs is measured (`noise.measure`).

    Backward signals of every logit at every hidden layer, and what the advantage at each step of a
    rollout owes to each other step.
    """
    signals = spec.batch_size * policy.outputs * sum(policy.hidden)
    steps = spec.batch.rollout_length**2
    return max(3 * signals, signals + 3 * steps // 2)


def _floats(spec: SweepSpec, width: int, outputs: int, task: Task) -> _Floats:
    network, shape = spec.network_spec(width), task.train.images.shape[1:]
    layers = networks.layers(network, outputs, shape)
    first, *rest = layers[:1] + layers[1 + spec.phase_visible :]
    middle = [first, *rest[:-1]]
    is_convolution = network.name == "cnn"
    return _Floats(
        parameters=networks.count_parameters(network, outputs, shape),
        first=first.positions * first.fan_in,
        hidden=[layer.positions * layer.fan_out for layer in middle],
        patches=[0] + [is_convolution * layer.positions * layer.fan_in for layer in middle[1:]],
        outputs=outputs,
        is_convolution=is_convolution,
        is_bf16=spec.precision == "bf16",
    )


def _evaluation_rows(task: Task) -> int:
    """Examples of the test split that are looked at together."""
    count = task.test.labels.shape[0]
    return math.ceil(count / math.ceil(count / EVALUATION_PART))
