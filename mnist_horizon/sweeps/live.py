"""Live view of a sweep in TensorBoard and in Weights & Biases (W&B): each run is a series.

A point of a run's series is a row of its results, at its number of interactions. A sweep that is
continued goes on with the series that are there: the points that they hold are read from them, and
those that they lack, lost by a kill, are added from the rows of the program's checkpoint. W&B's
offline files are read too; of a run that is online its server says how far it came.

What is shown is no part of the results: an error of a log is told once, ends that log, and does not
stop the training.
"""

import contextlib
import hashlib
import json
import logging
import os
import platform
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_horizon import files
from mnist_horizon.errors import InputError
from mnist_horizon.sweeps.plan import Program, Run
from mnist_horizon.sweeps.spec import SweepSpec

LOG = logging.getLogger(__name__)

PROJECT = "mnist_horizon"
"""W&B's project, where its environment variable `WANDB_PROJECT` names no other."""

FINISH_SECONDS = 60.0
"""How long the end of a program waits for W&B's server."""

_NOT_SHOWN = ("run", "interactions", "test_examples")


class Series(ABC):
    """The points of one run in one log."""

    last: int
    """Interactions of its newest point; -1 if it has none."""

    @abstractmethod
    def add(self, interactions: int, values: Mapping[str, float]) -> None:
        """Add a point."""

    @abstractmethod
    def close(self, is_done: bool) -> None:
        """End the series, of a run that is done or will be continued."""


class _TensorBoardSeries(Series):
    """Event files in a folder of the run's name; each start of a process adds its own file."""

    def __init__(self, folder: Path, run_id: str) -> None:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

        self._folder, self._run_id = folder, run_id
        host = "".join(c for c in platform.node() if c.isalnum() or c in "-.") or "host"
        self._name = f"events.out.tfevents.{time.time():010.0f}.{host}.{os.getpid()}"
        self.last = -1
        for path in files.inside(folder, "tensorboard", run_id).glob("*tfevents*"):
            events = EventFileLoader(str(path)).Load()
            self.last = max(self.last, *(e.step for e in events if e.summary.value), -1)

    def add(self, interactions: int, values: Mapping[str, float]) -> None:
        """Append a record to the process's file, which is made with the first one."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        event = Event(step=interactions, summary=Summary(value=scalars), wall_time=time.time())
        path = files.inside(self._folder, "tensorboard", self._run_id, self._name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            writer = RecordWriter(file)
            if not file.tell():
                writer.write(Event(file_version="brain.Event:2").SerializeToString())
            writer.write(event.SerializeToString())
        self.last = interactions

    def close(self, is_done: bool) -> None:
        """Nothing is open between points."""


class _WandBSeries(Series):
    """A run of W&B, in the project and the mode (online, offline) that its own settings choose."""

    def __init__(self, folder: Path, run_id: str, settings: Mapping[str, Any]) -> None:
        import wandb

        name = hashlib.sha256(f"{_wandb_id(folder)} {run_id}".encode()).hexdigest()[:16]
        is_online = _is_online()
        self._run = wandb.init(
            project=None if "WANDB_PROJECT" in os.environ else PROJECT,
            group=_group(folder),
            id=name,
            name=run_id,
            config=dict(settings),
            dir=folder,
            resume="allow" if is_online else None,
            reinit="create_new",  # the runs of a program are open side by side
            settings=wandb.Settings(
                silent=True,
                console="off",
                symlink=False,
                finish_timeout=FINISH_SECONDS,
                disable_git=True,
                x_disable_stats=True,
                x_disable_meta=True,
                x_save_requirements=False,
            ),
        )
        self.last = self._run.starting_step - 1 if is_online else _last_offline(folder, name)

    def add(self, interactions: int, values: Mapping[str, float]) -> None:
        """Log a point; W&B's own process writes or sends it."""
        self._run.log(dict(values), step=interactions)
        self.last = interactions

    def close(self, is_done: bool) -> None:
        """Finish the run; one that is not done is marked as failed until it is continued."""
        self._run.finish(exit_code=0 if is_done else 1)


def _is_online() -> bool:
    """Whether W&B's runs are sent to its server."""
    import wandb

    return bool(wandb.setup().settings.mode == "online")


def _group(folder: Path) -> str:
    """W&B's group of a sweep's runs."""
    return os.environ.get("WANDB_RUN_GROUP", folder.absolute().name)


def _wandb_id(folder: Path) -> str:
    """What distinguishes this working directory's runs in a project; made once."""
    path = files.inside(folder, "wandb", "workdir.json")
    with files.lock(files.inside(folder, "locks", "wandb.lock"), wait=True):
        if not path.exists():
            files.write_text(path, json.dumps({"id": uuid.uuid4().hex}))
    return str(json.loads(path.read_text())["id"])


def _last_offline(folder: Path, name: str) -> int:
    """Step of the newest point in the files that offline runs of this name left; -1 for none."""
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    last = -1
    for path in folder.glob(f"wandb/offline-run-*/run-{name}.wandb"):
        store = DataStore()
        with contextlib.suppress(AssertionError, OSError):  # the end that a kill left
            store.open_for_scan(str(path))
            while (data := store.scan_data()) is not None:
                record = Record.FromString(data)
                if record.HasField("history"):
                    last = max(last, record.history.step.num)
    return last


def _need_tensorboard() -> None:
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: F401
    from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: F401


def _need_wandb() -> None:
    """Import W&B, and let it ask for its key, if it can, before anything is written."""
    from wandb import Error, init, login  # noqa: F401  a folder `wandb` has none of them

    if not _is_online():
        return
    try:
        login()
    except Error as error:
        raise InputError(
            f"--log=wandb: {error} Or set WANDB_MODE=offline, and call `wandb sync` later"
        ) from None


_NEEDS: Mapping[str, Callable[[], None]] = {
    "tensorboard": _need_tensorboard,
    "wandb": _need_wandb,
}
LOGS = tuple(_NEEDS)
"""Names of the logs; each is an extra of the same name."""


def check(folder: Path, names: Sequence[str]) -> None:
    """Refuse logs that cannot be written here, before anything is.

    Raises:
        InputError: one is unknown, its package is not installed, or what stands in the place of
            its folder is none.
    """
    for name in names:
        if name not in _NEEDS:
            raise InputError(f"--log={name}: unknown log: choose from {', '.join(LOGS)}")
        path = files.inside(folder, name)
        if path.exists() and not path.is_dir():
            raise InputError(f"--log={name}: {path} is not a folder: move it away")
        try:
            _NEEDS[name]()
        except ImportError:
            raise InputError(
                f"--log={name}: needs the extra {name}: make setup EXTRAS={name}"
            ) from None


def _where(name: str, folder: Path) -> str:
    """How a log is looked at."""
    if name == "tensorboard":
        return f"tensorboard --logdir={folder / 'tensorboard'}"
    if _is_online():
        return f"project {os.environ.get('WANDB_PROJECT', PROJECT)}, group {_group(folder)}"
    return f"offline; to send it later: wandb sync --append {folder / 'wandb' / 'offline-run-*'}"


class Live:
    """The series of a sweep's runs in the chosen logs; a context manager that closes them."""

    def __init__(self, folder: Path, spec: SweepSpec, names: Sequence[str] = ()) -> None:
        """Begin with no series.

        Args:
            folder: the sweep's working directory.
            spec: the sweep.
            names: of the logs, `check`ed; without any, nothing is done.
        """
        self._folder, self._spec = folder, spec
        self._names = list(dict.fromkeys(names))
        self._open: dict[tuple[str, str], list[Series]] = {}

    def __enter__(self) -> "Live":
        for name in tuple(self._names):
            with self._tolerated(name):
                LOG.info("--log=%s: %s", name, _where(name, self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        for name, program_id in list(self._open):
            self._close(name, program_id, is_done=False)
        if "wandb" in self._names:
            with self._tolerated("wandb"):
                import wandb

                wandb.teardown()  # waits until its own process has written all

    def add(self, program: Program, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the points that the series of a program lack.

        Args:
            program: of these runs.
            rows: all of its rows so far, in order, with the number of the run as `run`.
        """
        for name in tuple(self._names):
            with self._tolerated(name):
                series = self._series(name, program)
                for row in rows:
                    one = series[row["run"]]
                    if row["interactions"] > one.last:
                        shown = {key: float(row[key]) for key in row if key not in _NOT_SHOWN}
                        one.add(row["interactions"], shown)

    def finish(self, program: Program) -> None:
        """Close the series of a program that is done."""
        for name in tuple(self._names):
            self._close(name, program.program_id, is_done=True)

    def _series(self, name: str, program: Program) -> list[Series]:
        """The series of a program's runs in a log, opened when they are first used."""
        key = name, program.program_id
        if key not in self._open:
            self._open[key] = [self._opened(name, run) for run in program.runs]
        return self._open[key]

    def _opened(self, name: str, run: Run) -> Series:
        run_id = run.run_id(self._spec)
        if name == "tensorboard":
            return _TensorBoardSeries(self._folder, run_id)
        axes = {
            **{"width": run.width, "seed": run.seed, "horizon": run.variant.horizon},
            "schedule": str(run.variant.schedule),
            "learning_rate": run.variant.learning_rate,
        }
        if run.variant.reference:
            axes["reference"] = run.variant.reference
        return _WandBSeries(self._folder, run_id, {**self._spec.fixed_settings(), **axes})

    def _close(self, name: str, program_id: str, is_done: bool) -> None:
        with self._tolerated(name):
            for series in self._open.pop((name, program_id), ()):
                series.close(is_done)

    @contextlib.contextmanager
    def _tolerated(self, name: str) -> Iterator[None]:
        """An error of a log is told, and ends the log."""
        try:
            yield
        except Exception as error:  # of whatever class its package has
            said = " ".join(f"{type(error).__name__}: {error}".split())
            LOG.warning("--log=%s ends (%s); the training goes on", name, said)
            self._names = [other for other in self._names if other != name]
            self._open = {key: value for key, value in self._open.items() if key[0] != name}
