"""Efficiency of a finished sweep: its useful FLOPs over wall time, against its own steady state.

Steady state is the speed of the updates alone, taken from `progress.jsonl`: the time between two
evaluations of a program is

    seconds = a updates + b,

and the slope a (Theil and Sen's, which a pause or a slow moment does not change) is the time of an
update, b that of an evaluation (of the sample of the test split, where a sweep has one: the last
evaluation, of the whole split, counts as the rest). With F FLOPs per update,

    efficiency = (sum of FLOPs / wall time) / (F / a) = seconds of updates alone / wall time,

where the seconds of several programs are summed, each times the share of the devices that it has:
programs that run side by side have less than one. FLOPs are those of training. The wall time holds
everything from the writing of `sweep.json`, when the data set is loaded, to the last record:
planning, compilation, evaluations, checkpoints, results. Where `sweep.json` is newer than the first
line (the sweep was continued, extended or copied), it starts with that line's program instead,
without the compilation before it, and includes pauses between calls.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mnist_horizon import results
from mnist_horizon.errors import SweepError

FEWEST_LINES = 4


def efficiency(workdir: Path) -> dict[str, Any]:
    """What a finished sweep of one process reached.

    Returns:
        `flops` in all, `wall_seconds`, `achieved_flops` and `steady_flops` per second, their ratio
        `efficiency`, `interactions`, the parts of the wall time
        `update_seconds` and `evaluation_seconds`, and `programs`, a list with each one's.

    Raises:
        SweepError: the directory holds no finished sweep, or one too short to measure its speed.
    """
    records, table, lines = _read(workdir)
    with_rows = [record for record in records if table["run_id"].isin(record["runs"]).any()]
    programs = [_program(record, table, lines) for record in with_rows]
    started, is_continued = _start(workdir, lines, programs)
    ended = max(line["time"] for line in lines)
    if not is_continued:
        written = (workdir / "programs").glob("*.json")
        ended = max(ended, *(path.stat().st_mtime for path in written))
    flops = sum(program["flops"] for program in programs)
    updating = sum(program["update_seconds"] for program in programs)
    return {
        "workdir": str(workdir),
        "interactions": sum(program["interactions"] for program in programs),
        "flops": flops,
        "wall_seconds": ended - started,
        "is_continued": is_continued,
        "achieved_flops": flops / (ended - started),
        "steady_flops": flops / updating,
        "efficiency": updating / (ended - started),
        "update_seconds": updating,
        "evaluation_seconds": sum(program["evaluation_seconds"] for program in programs),
        "programs": programs,
    }


def describe(measured: Mapping[str, Any]) -> str:
    """The efficiency in a few lines."""
    wall = measured["wall_seconds"]
    evaluations = measured["evaluation_seconds"] / wall
    begin = "its first line of progress (it was continued or copied)"
    return "\n".join(
        [
            f"{measured['workdir']}: {len(measured['programs'])} programs, "
            f"{measured['interactions']:.4g} interactions, {measured['flops'] / 1e12:.4g} TFLOP",
            f"wall time {wall:.1f} s from "
            f"{begin if measured['is_continued'] else 'the loaded data set'} to the last record",
            f"{measured['achieved_flops'] / 1e9:.1f} GFLOP/s over all, "
            f"{measured['steady_flops'] / 1e9:.1f} in updates alone",
            f"efficiency {measured['efficiency']:.2f}; of the wall time: evaluations "
            f"{evaluations:.2f}, compilation, files and all else "
            f"{1 - measured['efficiency'] - evaluations:.2f}",
        ]
    )


def _read(workdir: Path) -> tuple[list[dict[str, Any]], pd.DataFrame, list[dict[str, Any]]]:
    """Records of programs, the results of their runs, and lines of progress."""
    try:
        results.read_sweep(workdir)
        records, notes = results.read_programs(workdir)
        table = results.read_results(workdir)
    except results.ResultsError as error:
        raise SweepError(f"--workdir: {error}") from None
    if notes:
        raise SweepError(f"--workdir: {notes[0]}")
    if unfinished := [record for record in records if not record.get("done")]:
        raise SweepError(
            f"--workdir: {unfinished[0].get('program_id')} is not done: run its sweep to the end"
        )
    path = workdir / "progress.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise SweepError(f"--workdir: {path} cannot be read: {error}") from None
    return records, table.frame, lines


def _program(
    record: Mapping[str, Any], table: pd.DataFrame, lines: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A program's useful work and its steady speed: on all devices, as its seconds."""
    name = record["program_id"]
    last = table[table["run_id"].isin(record["runs"])].groupby("run_id").last()
    interactions = int(last["interactions"].sum())
    flops = float((last["interactions"] * last["flops_per_interaction"]).sum())
    size = len(record["runs"]) * int(last["batch"].iloc[0])
    per_update = size * float(last["flops_per_interaction"].iloc[0])
    program_lines = [line for line in lines if line["program_id"] == name]
    update, evaluation = _seconds(name, program_lines)
    share = program_lines[-1].get("share", 1.0)  # older versions ran one program at a time
    return {
        "program_id": name,
        "interactions_per_update": size,
        "interactions": interactions,
        "flops": flops,
        "steady_flops": per_update / (share * update),
        "update_seconds": share * update * flops / per_update,
        "evaluation_seconds": share * evaluation * len(program_lines),
    }


def _seconds(name: str, program_lines: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Seconds per update and per evaluation of a program, from its lines of progress."""
    updates = np.diff([line["update"] for line in program_lines])
    seconds = np.diff([line["time"] for line in program_lines])
    is_onward = updates > 0  # a resumed program goes back to its checkpoint
    updates, seconds = updates[is_onward], seconds[is_onward]
    if len(program_lines) >= FEWEST_LINES and len(np.unique(updates)) > 1:
        line = stats.theilslopes(seconds, updates)
        if line.slope > 0:
            return float(line.slope), max(0.0, float(line.intercept))
    raise SweepError(f"--workdir: {name} has too little in progress.jsonl to measure its speed")


def _start(
    workdir: Path, lines: Sequence[Mapping[str, Any]], programs: Sequence[Mapping[str, Any]]
) -> tuple[float, bool]:
    """When the sweep began, and whether that is taken from its first line of progress."""
    first = lines[0]
    written = (workdir / "sweep.json").stat().st_mtime
    if written <= first["time"]:
        return written, False
    size = next(
        program["interactions_per_update"]
        for program in programs
        if program["program_id"] == first["program_id"]
    )
    return first["time"] - first["update"] * size / first["interactions_per_second"], True
