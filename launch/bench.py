"""How fast sweeps train, against this machine's own matrix product.

    python -m launch.bench [--runs=16,64] [--widths=16,64] [--depth=1,2] [--batch=512]
        [--network=mlp] [--precision=f32] [--devices=2] [--json=bench.json]

For each case the steady speed of the trainer's own update (512 interactions per update, data of
MNIST's shape): interactions/s over all runs, achieved FLOP/s by the analytic count of
`mnist_horizon.networks`, and its ratio to a 2048^3 f32 product in the same process (all threads),
measured beside it; that product's GFLOP/s, and the GB/s of an array that is read and written;
the seconds to trace and compile the update, from no cache; and the memory of the compiled update on
all devices, the data set included. `grouping` is how runs share observations: `shared` is one group
of all runs, `4 seeds` splits them into four groups, as a sweep with four seeds does, where four
divides the runs. Before the table: cold start, from the start of a process to the end of its first
update, for the first case (`--nocold_start` leaves it out).

    python -m launch.bench --workdir=W

Efficiency of a finished sweep instead: useful FLOPs over wall time, compilation, evaluations and
files included, against the steady state (`launch.benchmarks.efficiency` says how).

    python -m launch.bench --wait=launch/configs/quickstart.py

What a newcomer waits for: the imports of each command, and the parts of a sweep and of its report
(`launch.benchmarks.wait` says how).

    python -m launch.bench --against=purejaxrl --peer=DIR [--runs=1,16] [--batch=512]
        [--environments=4,64] [--interactions=51200]

The same task, network and interactions in PureJaxRL's PPO (`launch.benchmarks.peer` says how to set
it up, and what is the same).

    python -m launch.bench --against=torch --peer=PYTHON [--runs=16] [--widths=16,64,256]
        [--depth=1,2]

A plain PyTorch loop, as it is often written, in a Python that has PyTorch, and this trainer
(`launch.benchmarks.loop`).
"""

import itertools
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from absl import flags

from launch.benchmarks import loop, peer, wait
from launch.benchmarks.cases import Case, measure, mnist_shaped_task
from launch.benchmarks.start import cold_start
from launch.forecast import product_speed
from mnist_horizon import cli, devices, files, networks
from mnist_horizon.errors import SweepError

RUNS = flags.DEFINE_list("runs", ["16", "64"], "Runs updated together (against a peer: 1,16).")
WIDTHS = flags.DEFINE_list("widths", ["16", "64"], "Widths of the network.")
DEPTHS = flags.DEFINE_list("depth", ["1", "2"], "Hidden layers of the network.")
BATCHES = flags.DEFINE_list("batch", ["512"], "Interactions per update.")
DEVICES = flags.DEFINE_list("devices", [], "How many of the devices are used; by default all.")
NETWORK = flags.DEFINE_enum("network", "mlp", networks.names(), "Family of networks.")
PRECISION = flags.DEFINE_enum("precision", "f32", networks.PRECISIONS, "Of the trainer's products.")
SECONDS = flags.DEFINE_float(
    "seconds", 1.0, "Measure each case about this long, five times.", lower_bound=0.0
)
COLD_START = flags.DEFINE_bool("cold_start", True, "Measure the cold start of the first case.")
WORKDIR = flags.DEFINE_string("workdir", None, "A finished sweep: print its efficiency instead.")
WAIT = flags.DEFINE_string("wait", None, "A config: time imports, its sweep and its report.")
AGAINST = flags.DEFINE_enum(
    "against", None, ["purejaxrl", "torch"], "Time a peer and this trainer."
)
PEER = flags.DEFINE_string("peer", None, "The checkout of the peer, or a Python with PyTorch.")
ENVIRONMENTS = flags.DEFINE_list(
    "environments", ["4", "64"], "Environments of a run against a peer; 4 is its own default."
)
INTERACTIONS = flags.DEFINE_integer("interactions", 51_200, "Of each run against a peer.")
JSON = flags.DEFINE_string("json", None, "Also write what is printed to this file.")

PEER_RUNS = [1, 16]

Columns = dict[str, tuple[str, str, float]]
"""Header: name in a row, format and unit of the number."""

CASE_COLUMNS: Columns = {
    "network": ("network", "", 1),
    "precision": ("precision", "", 1),
    "batch": ("batch", "d", 1),
    "runs": ("runs", "d", 1),
    "grouping": ("grouping", "", 1),
    "devices": ("devices", "d", 1),
    "inter/s": ("interactions_per_second", ".3g", 1),
    "GFLOP/s": ("flops", ".1f", 1e9),
    "ratio": ("ratio", ".2f", 1),
    "product": ("product_flops", ".0f", 1e9),
    "GB/s": ("memory_bytes_per_second", ".0f", 1e9),
    "compile s": ("compile_seconds", ".1f", 1),
    "MB": ("memory_bytes", ",.0f", 1e6),
}
WAIT_COLUMNS: Columns = {"what": ("what", "", 1), "seconds": ("seconds", ".1f", 1)}
LOOP_COLUMNS: Columns = {
    "network": ("network", "", 1),
    "trainer": ("trainer", "", 1),
    "inter/s": ("interactions_per_second", ".3g", 1),
    "slowest": ("slowest", ".3g", 1),
    "fastest": ("fastest", ".3g", 1),
    "ratio": ("ratio", ".1f", 1),
}
PEER_COLUMNS: Columns = {
    "environments": ("environments", "d", 1),
    "steps": ("steps", "d", 1),
    "runs": ("runs", "d", 1),
    "trainer": ("trainer", "", 1),
    "inter/s": ("interactions_per_second", ".3g", 1),
    "slowest": ("slowest", ".3g", 1),
    "fastest": ("fastest", ".3g", 1),
    "ratio": ("ratio", ".1f", 1),
    "compile s": ("compile_seconds", ".1f", 1),
}


def main(argv: Sequence[str]) -> int:
    """Measure what the flags ask for, print it, and write it."""
    del argv
    if JSON.value and not Path(JSON.value).absolute().parent.is_dir():
        raise SweepError(f"--json: there is no folder {Path(JSON.value).parent}")
    if WORKDIR.value:
        from launch.benchmarks import efficiency  # scipy.stats takes a second to import

        report: dict[str, Any] = {"sweep": efficiency.efficiency(Path(WORKDIR.value))}
        print(efficiency.describe(report["sweep"]))
    elif WAIT.value:
        report = {"machine": platform.machine(), "wait": wait.wait(WAIT.value)}
        _print_table(report["wait"], WAIT_COLUMNS)
    else:
        devices.use_cpu_cores()
        jax.config.update("jax_enable_compilation_cache", False)  # time compilation without it
        measure_all = {None: _cases, "purejaxrl": _against_peer, "torch": _against_torch}
        measured = measure_all[AGAINST.value]()
        memory = cli.peak_bytes()
        print(f"peak memory {memory / 1e6:.0f} MB")
        report = {
            "machine": platform.machine(),
            "device": jax.devices()[0].device_kind,
            "peak_memory_bytes": memory,
            **measured,
        }
    if JSON.value:
        files.write_text(Path(JSON.value), json.dumps(report, indent=1))
    return cli.DONE


def _cases() -> dict[str, Any]:
    """The table of cases, and the speeds it is based on."""
    cases = _requested_cases()
    seconds = cold_start(cases[0]) if COLD_START.value else None
    print(f"device: {jax.devices()[0].device_kind}, {devices.usable_cores()} cores")
    if seconds is not None:
        print(f"cold start to the first update: {seconds:.1f} s ({cases[0].label})")
    task = mnist_shaped_task()
    rows = [measure(case, task, SECONDS.value) for case in cases]
    _print_table(rows, CASE_COLUMNS)
    return {"cold_start_seconds": seconds, "cases": rows}


def _requested_cases() -> list[Case]:
    """Every case of the flags, each checked before anything is measured."""
    used = _numbers(DEVICES) or [jax.device_count()]
    if max(used) > jax.device_count():
        raise SweepError(f"--devices: {max(used)}: this process has {jax.device_count()}")
    axes = (_numbers(DEPTHS), _numbers(WIDTHS), _numbers(BATCHES), _numbers(RUNS), (1, 4), used)
    cases = [
        Case(NETWORK.value, depth, width, runs, seeds, batch, PRECISION.value, count)
        for depth, width, batch, runs, seeds, count in itertools.product(*axes)
        if runs % seeds == 0
    ]
    for case in cases:
        case.spec()
    if not cases:
        raise SweepError("--runs, --widths, --depth and --batch: give each a number or more")
    return cases


def _against_peer() -> dict[str, Any]:
    """The table of the peer's speed and that of this trainer."""
    if not PEER.value:
        raise SweepError("--peer: name the folder of the peer's checkout")
    counts = _numbers(RUNS) if RUNS.present else PEER_RUNS
    layouts, task = _layouts(), mnist_shaped_task()
    rows = peer.compare(Path(PEER.value), task, INTERACTIONS.value, counts, layouts)
    _print_table(rows, PEER_COLUMNS)
    return {"against": AGAINST.value, "interactions": INTERACTIONS.value, "cases": rows}


def _against_torch() -> dict[str, Any]:
    """The table of a PyTorch loop's speed and that of this trainer."""
    if not PEER.value:
        raise SweepError("--peer: name a Python that has PyTorch")
    (runs,) = set(_numbers(RUNS)) if RUNS.present else {16}
    shapes = list(itertools.product(_numbers(DEPTHS), _numbers(WIDTHS)))
    peak = product_speed()
    print(f"2048^3 f32 product: {peak / 1e9:.0f} GFLOP/s on {jax.devices()[0].device_kind}")
    rows = loop.compare(PEER.value, mnist_shaped_task(), shapes, runs, SECONDS.value)
    _print_table(rows, LOOP_COLUMNS)
    return {"against": AGAINST.value, "product_flops": peak, "cases": rows}


def _layouts() -> list[tuple[int, int]]:
    """Environments x steps for each batch against a peer."""
    layouts = []
    for batch, environments in itertools.product(_numbers(BATCHES), _numbers(ENVIRONMENTS)):
        if batch % environments:
            raise SweepError(f"--environments: {environments} does not divide --batch={batch}")
        if batch > INTERACTIONS.value:
            raise SweepError(f"--interactions: must be at least one batch of {batch}")
        layouts.append((environments, batch // environments))
    return layouts


def _numbers(flag: flags.FlagHolder[list[str]]) -> list[int]:
    """A list flag's whole numbers, 1 or more.

    Raises:
        SweepError: one of them is not such a number.
    """
    for text in flag.value:
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            raise SweepError(f"--{flag.name}: must be whole numbers from 1, not {text!r}")
    return [int(text) for text in flag.value]


def _print_table(rows: Sequence[dict[str, Any]], columns: Columns) -> None:
    lines = [list(columns)]
    for row in rows:
        cells = []
        for name, spec, unit in columns.values():
            value = row[name] / unit if unit != 1 else row[name]
            cells.append(format(value, spec))
        lines.append(cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    cli.run(main)
