"""A real SLURM of one machine for the tests: munged, slurmctld and slurmd of its own."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DAEMONS = ("munged", "slurmctld", "slurmd")

MOST_TASKS = 4
"""Of an array: the cluster's `MaxArraySize`."""

CONFIG = """\
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=1,sched_min_interval=100000,sched_interval=1
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MaxArraySize={most_tasks}
MpiDefault=none
KillWait=20
MinJobAge=2
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost CPUs=2 RealMemory=2000
PartitionName=test Nodes=localhost Default=YES MaxTime=INFINITE State=UP GraceTime=20
PartitionName=urgent Nodes=localhost MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
"""


NODE = "while :; do setpriv --pdeathsig=KILL {slurmd} -D -N localhost; sleep 1; done"
"""The node's daemon, which starts again when it is killed."""


@contextlib.contextmanager
def running() -> Iterator[dict[str, str]]:
    """SLURM with all its state in a folder of its own; gives what tells its commands so.

    Jobs are cancelled at the end, before the daemons are stopped. These run in the foreground as
    this process's children, and the kernel kills them should it die: nothing is left.
    """
    if os.geteuid() != 0:
        pytest.skip("SLURM's daemons are started as root")
    if missing := [name for name in (*DAEMONS, "setpriv") if not _path(name)]:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)")
    with contextlib.ExitStack() as stack:
        # Not in pytest's folders, which munge's user may not enter.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        _write_config(folder)
        before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        stack.callback(_restore, before)
        key, socket = folder / "munge.key", folder / "munge.socket"
        stack.enter_context(
            _daemon(
                folder,
                *("munged", "--foreground", f"--key-file={key}", f"--socket={socket}"),
                *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"),
                *(f"--seed-file={folder}/munged.seed", "--force"),
                user="munge",
            )
        )
        _wait(socket.exists, folder)
        stack.enter_context(_daemon(folder, "slurmctld", "-D", "-i"))
        stack.callback(_end_jobs)
        stack.enter_context(_daemon(folder, "sh", "-c", NODE.format(slurmd=_path("slurmd"))))
        _wait(lambda: "idle" in _said("sinfo", "--noheader", "--format=%t"), folder)
        yield {"SLURM_CONF": str(folder / "slurm.conf")}


def live(*states: str) -> list[str]:
    """The ids of the jobs in the queue, or of those in some states."""
    chosen = [f"--states={','.join(states)}"] if states else []
    return _said("squeue", "--noheader", "--array", "--format=%i", *chosen).split()


def fail_node() -> None:
    """Kill all that runs on the node at once, as where its power fails; it then starts again.

    The controller is told what it would conclude when it has not heard of the node for minutes.
    """
    daemons, others = [], []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"SLURM_CONF={os.environ['SLURM_CONF']}".encode() in variables:
                if (folder / "exe").resolve().name.startswith(("slurmd", "slurmstepd")):
                    daemons.append(int(folder.name))
                elif any(variable.startswith(b"SLURM_JOB_ID=") for variable in variables):
                    others.append(int(folder.name))
    assert len(daemons) > 1, "no job was running"
    for process in (*daemons, *others):  # first those that would report an end of the others
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    failed = ["scontrol", "update", "NodeName=localhost", "State=DOWN", "Reason=failed"]
    subprocess.run(failed, check=True)


@contextlib.contextmanager
def nothing_started() -> Iterator[None]:
    """What runs goes on, and what is queued stays so."""

    def set_partition(state: str) -> None:
        command = ["scontrol", "update", "PartitionName=test", f"State={state}"]
        subprocess.run(command, check=True)

    set_partition("DOWN")
    try:
        yield
    finally:
        set_partition("UP")


def _write_config(folder: Path) -> None:
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    munge = pwd.getpwnam("munge")
    for path in (key, folder):
        os.chown(path, munge.pw_uid, munge.pw_gid)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    ports = {"controller_port": 20_000 + os.getpid() % 10_000}
    ports["node_port"] = ports["controller_port"] + 10_000
    config = CONFIG.format(folder=folder, most_tasks=MOST_TASKS, **ports)
    (folder / "slurm.conf").write_text(config)


@contextlib.contextmanager
def _daemon(folder: Path, name: str, *arguments: str, user: str | None = None) -> Iterator[None]:
    with (folder / f"{name}.out").open("w") as out:
        daemon = subprocess.Popen(
            [_path("setpriv"), "--pdeathsig=KILL", _path(name), *arguments],
            stdout=out,
            stderr=out,
            user=user,
        )
    try:
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _end_jobs() -> None:
    """Cancel what is queued or running, so that no process of a job outlives its daemon."""
    if live():
        subprocess.run(["scancel", "--partition=test"], check=False)
    end = time.monotonic() + 40
    while live() and time.monotonic() < end:
        time.sleep(0.2)


def _restore(before: str | None) -> None:
    if before is None:
        del os.environ["SLURM_CONF"]
    else:
        os.environ["SLURM_CONF"] = before


def _path(name: str) -> str:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin") or ""


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _wait(is_so: Callable[[], bool], folder: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        logs = "\n".join(path.read_text()[-1000:] for path in folder.glob("*.out"))
        assert time.monotonic() < end, f"SLURM does not start: {logs}"
        time.sleep(0.1)
