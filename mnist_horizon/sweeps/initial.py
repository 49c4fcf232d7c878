"""The initial policy of a sweep's runs, read from another sweep."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mnist_horizon import networks, results
from mnist_horizon.errors import SweepError
from mnist_horizon.sweeps.spec import SweepSpec, with_checksum
from mnist_horizon.tasks import LoadedTask


def with_initial_policy(spec: SweepSpec, task: LoadedTask) -> LoadedTask:
    """The task with the policy that the spec names as `Task.initial`; as it is where none is.

    Raises:
        SweepError: the policy is missing, is not the one recorded, or is one of another network,
            width or task.
    """
    given = with_checksum(spec).initial_policy
    if not given.run:
        return task
    if not given.workdir:
        raise SweepError(f"initial_policy.workdir: name the folder of the sweep with {given.run}")
    try:
        found = results.load_policy(given.workdir, given.run)
    except results.ResultsError as error:
        raise SweepError(f"initial_policy: {error}") from None
    shape = task.task.train.images.shape[1:]
    wanted = jax.eval_shape(
        lambda key: networks.init(spec.network_spec(spec.widths[0]), task.task.classes, shape, key),
        jax.random.key(0),
    )
    if _forms(found) != _forms(wanted):
        family = f"{spec.network.name} of depth {spec.network.depth} and width {spec.widths[0]}"
        raise SweepError(
            f"initial_policy.run: {given.run} is no policy of the network {family} for task "
            f"{spec.task!r}: its layers have other names, shapes or types"
        )
    initial = jax.tree.map(jnp.asarray, found)
    return dataclasses.replace(task, task=dataclasses.replace(task.task, initial=initial))


def _forms(params: object) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and types of the arrays by their paths."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path): (leaf.shape, leaf.dtype) for path, leaf in leaves}
