"""How a program's runs are distributed over groups and devices.

The run axis is sharded over a mesh of all devices, whole groups to each, and every device works on
its own groups alone: nothing is communicated while training. A CPU counts as one device per core
(`use_cpu_cores`): small single-threaded operations then keep every core busy.
"""

import contextlib
import functools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

from mnist_horizon import training
from mnist_horizon.devices import compilation, hosts
from mnist_horizon.errors import SweepError
from mnist_horizon.tasks import Task
from mnist_horizon.training import RunParams, RunState, Train

GROUP = PartitionSpec("group")
REPLICATED = PartitionSpec()


@dataclass(frozen=True)
class Layout:
    """A program's runs, numbered seed by seed, split into groups of runs of one seed.

    Each seed's variants are split into `parts` groups; groups are padded to a multiple of the
    devices, and runs within a group to the same number. Padding repeats the last run; it is
    computed and not read.
    """

    seeds: int
    variants: int
    parts: int
    devices: int

    @property
    def groups(self) -> int:
        """Groups with padding."""
        return math.ceil(self.seeds * self.parts / self.devices) * self.devices

    @property
    def runs_per_group(self) -> int:
        """Runs of a group with padding."""
        return math.ceil(self.variants / self.parts)

    @functools.cached_property
    def slots(self) -> Int[np.ndarray, "group run"]:
        """Number of the program's run in each place."""
        group, place = np.indices((self.groups, self.runs_per_group))
        seed = np.minimum(group // self.parts, self.seeds - 1)
        part = np.where(group // self.parts < self.seeds, group % self.parts, self.parts - 1)
        variant = np.minimum(part * self.runs_per_group + place, self.variants - 1)
        return seed * self.variants + variant

    @functools.cached_property
    def positions(self) -> Int[np.ndarray, "program_run"]:
        """The (first) place of each of the program's runs, as an index into flattened `slots`."""
        return np.unique(self.slots, return_index=True)[1]

    @functools.cached_property
    def group_seeds(self) -> Int[np.ndarray, "group"]:
        """Number of each group's seed within the program."""
        return self.slots[:, 0] // self.variants


def layout_here(seeds: int, variants: int, lanes: int = 1) -> Layout:
    """The layout of a program for the devices of this process and of those joined with it.

    Args:
        seeds: of the program.
        variants: of each seed.
        lanes: number of equal parts of the devices (`hosts.lanes`), one of which is used.
    """
    count = jax.device_count() // lanes
    # Each of several processes takes part only if it owns some of the devices used.
    return choose_layout(seeds, variants, count, count if jax.process_count() > 1 else 1)


@functools.cache
def choose_layout(seeds: int, variants: int, devices: int, least: int = 1) -> Layout:
    """The layout with the least work per device, padding included.

    A group costs as much as its runs plus one, for gathering and scaling the shared inputs. At
    least `least` devices are used; those without a run compute only padding.
    """
    used = max(min(devices, seeds * variants), least)
    # Of the numbers of parts with as many runs in a group, the smallest has the fewest groups.
    sizes = {math.ceil(variants / parts) for parts in range(1, math.isqrt(variants) + 2)}
    sizes |= set(range(1, math.isqrt(variants) + 2))
    parts = sorted({math.ceil(variants / size) for size in sizes})
    candidates = (Layout(seeds, variants, number, used) for number in parts)
    return min(candidates, key=lambda layout: layout.groups * (layout.runs_per_group + 1))


def usable_cores() -> int:
    """CPU cores that this process may use or, where the system does not report them, all cores.

    Linux reports them; macOS does not. Python 3.13 has one call for both.
    """
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_cpu_cores() -> None:
    """Make each CPU core that this process may use a device; call it before JAX starts.

    A process that has computed with JAX already keeps the devices that it has.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", usable_cores())


def check_devices() -> None:
    """Start JAX, whose devices were chosen; call it before anything is written.

    Raises:
        SweepError: the platform that `JAX_PLATFORMS` names is not there, or no device is.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # an assertion where a plugin is missing
        chosen = jax.config.values["jax_platforms"]
        reason = " ".join(str(error).split())[:200] or "it has no such device"
        raise SweepError(
            f"JAX_PLATFORMS={chosen or ''}: JAX does not start: {reason}: unset it, or install "
            "what that device needs"
        ) from None


class ProgramFunctions:
    """A program's functions compiled for a layout, with the states in the program's own order.

    `pack` and `unpack` convert a pytree of arrays [program run, ...] to the layout and back, on the
    host: a checkpoint holds the program's order, so it can be resumed on other devices.
    """

    def __init__(
        self, train: Train, layout: Layout, chips: Sequence[jax.Device] | None = None
    ) -> None:
        """Compile nothing yet.

        Args:
            train: the program's functions.
            layout: how its runs are distributed.
            chips: the devices, as many as the layout has or more, of which the first are used; by
                default all that there are.
        """
        chips = list(jax.devices() if chips is None else chips)[: layout.devices]
        self.layout = layout
        self.mesh = Mesh(np.array(chips), ("group",))
        self._options = compilation.compiler_options(chips[0].platform)
        self.train = train
        self.init = self.sharded(train.init, (GROUP, REPLICATED, GROUP))
        self.update = self.sharded(
            train.update,
            (GROUP, GROUP, REPLICATED, GROUP, REPLICATED, REPLICATED, REPLICATED),
            donate_argnums=0,
        )
        self.evaluate = self.sharded(train.evaluate, (GROUP, REPLICATED, GROUP, REPLICATED))

    def sharded(
        self, function: Callable[..., Any], specs: tuple[PartitionSpec, ...], **settings: Any
    ) -> Any:
        """Jit a function over [group, ...] so that each device computes its own groups."""
        mapped = jax.shard_map(
            function, mesh=self.mesh, in_specs=specs, out_specs=GROUP, check_vma=False
        )
        return jax.jit(mapped, compiler_options=self._options, **settings)

    def shapes(self, task: Any, runs: Any) -> tuple[Any, Any, Any, Any]:
        """Shapes, types and places of a state, runs, task and keys: enough to compile with.

        Args:
            task: a `Task`; shapes of its arrays are enough.
            runs: `RunParams` of the program's runs, [program run]; shapes are enough.
        """

        def placed(tree: Any, spec: PartitionSpec) -> Any:
            place = NamedSharding(self.mesh, spec)
            return jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), tree
            )

        count, runs_per_group = self.layout.slots.shape
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), count))
        spread = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((count, runs_per_group), leaf.dtype), runs
        )
        state = jax.eval_shape(self.train.init, keys, task, spread)
        return (
            placed(state, GROUP),
            placed(spread, GROUP),
            placed(task, REPLICATED),
            placed(keys, GROUP),
        )

    def program_shapes(self, state: Any) -> Any:
        """Shapes and types of a state in the program's order, [program run, ...].

        Args:
            state: a `RunState` in the layout; shapes are enough.
        """

        def shape(leaf: jax.ShapeDtypeStruct, axis: int) -> jax.ShapeDtypeStruct:
            rest = [size for i, size in enumerate(leaf.shape) if i not in (0, 1 + axis)]
            return jax.ShapeDtypeStruct((len(self.layout.positions), *rest), leaf.dtype)

        return jax.tree.map(shape, state, training.run_axes(state))

    def place_task(self, task: Task) -> Task:
        """A copy of the data on every device."""
        return self._place(task, REPLICATED)

    def place_runs(self, runs: RunParams) -> RunParams:
        """Numbers of the program's runs, [program run], in the layout."""
        spread = jax.tree.map(lambda leaf: np.asarray(leaf)[self.layout.slots], runs)
        return self._place(spread, GROUP)

    def place_keys(self, seeds: tuple[int, ...]) -> Array:
        """The key of each group's seed."""
        keys = jax.vmap(jax.random.key)(jnp.asarray(seeds)[self.layout.group_seeds])
        return jax.random.wrap_key_data(self._place(jax.random.key_data(keys), GROUP))

    def pack(self, state: Any) -> RunState:
        """Arrays [program run, ...] to the layout and its devices."""
        slots = self.layout.slots

        def spread(leaf: Any, axis: int) -> np.ndarray:
            return np.moveaxis(np.asarray(leaf)[slots], 1, 1 + axis)

        packed = jax.tree.map(spread, state, training.run_axes(state))
        return self._place(packed, GROUP)

    def unpack(self, state: Any) -> Any:
        """The layout's arrays as NumPy arrays [program run, ...], padding left out."""
        positions = self.layout.positions

        def gather(leaf: Any, axis: int) -> np.ndarray:
            runs = np.moveaxis(np.asarray(leaf), 1 + axis, 1)
            return runs.reshape(-1, *runs.shape[2:])[positions]

        return jax.tree.map(gather, hosts.fetch(state), training.run_axes(state))

    def _place(self, arrays: Any, spec: PartitionSpec) -> Any:
        """Arrays that every process holds, on the devices: each process fills its own."""
        sharding = NamedSharding(self.mesh, spec)

        def place(leaf: Any) -> Array:
            whole = np.asarray(leaf)
            return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

        return jax.tree.map(place, arrays)
