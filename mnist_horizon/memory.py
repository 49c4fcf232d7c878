"""Device memory of a program, estimated beforehand, so that programs are cut to fit.

Counted is what is live at once in the compiled update and in the compiled evaluation, whichever is
larger; `tests/mnist_horizon/test_memory.py` compares it with XLA's own account. The data set,
which all programs share, is not part of it (`data_bytes`).
"""

from dataclasses import dataclass

import jax

from mnist_horizon import networks
from mnist_horizon.spec import SweepError, SweepSpec
from mnist_horizon.tasks import Task

FLOAT = 4


@dataclass(frozen=True)
class Need:
    """Bytes that each run needs, and that the runs of a group need together."""

    run: int
    group: int

    def of(self, groups: int, runs: int) -> int:
        """Bytes of a program of so many groups with so many runs each."""
        return groups * (self.group + runs * self.run)


def needs(spec: SweepSpec, task: Task) -> dict[int, Need]:
    """What a run and a group need at each width of the sweep.

    Raises:
        SweepError: one run alone needs more than `max_program_bytes`.
    """
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
    shape, network = task.train.images.shape[1:], spec.network_spec(width)
    outputs = [task.classes] + [1] * (spec.baseline == "value_net")
    parameters = sum(networks.count_parameters(network, out, shape) for out in outputs)
    copies = 2 + 2 * (spec.optimizer.name == "adam")
    activations = sum(
        layer.positions * layer.fan_out
        for out in outputs
        for layer in networks.layers(network, out, shape)
    )
    first = networks.layers(network, task.classes, shape)[0]
    inputs = first.positions * first.fan_in
    return Need(
        run=FLOAT * (copies * parameters + 3 * activations * spec.batch_size),
        group=FLOAT * inputs * spec.batch_size,
    )


def data_bytes(task: Task) -> int:
    """Bytes of the data set on the device."""
    return int(sum(leaf.nbytes for leaf in jax.tree.leaves(task)))
