"""The command `python -m launch.slurm`: what it refuses, and a real SLURM that runs its jobs."""

import itertools
import json
import pickle
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launch.slurm import sbatch, status
from mnist_horizon import cli, tasks
from mnist_horizon.errors import InputError, SweepError
from mnist_horizon.sweeps import plan
from tests.launch import cluster, commands
from tests.launch.test_sweep import TINY, wait_until
from tests.mnist_horizon.small_sweeps import outputs, records, tiny

MINUTES = 300.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (TINY, "--workdir: name the folder"),
        ((*TINY, "--workdir=W"), "--slurm.partition: name one"),
        ((*TINY, "--workdir=W", "--slurm.partition=p", "--slurm.sbatch=qos"), "write NAME=VALUE"),
        ((*TINY, "--workdir=W", "--slurm.partition=p", "--slurm.minutes=0"), "slurm.minutes"),
        (("--workdir=W", "--status"), "holds no sweep"),
        (("--workdir=W", "--slurm.partition=p"), "--config: name a sweep"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    workdir = tmp_path / "w"
    named = [argument.replace("=W", f"={workdir}") for argument in arguments]
    command = commands.run(tmp_path, *named, module="launch.slurm")
    assert command.wait() == cli.BAD_INPUT
    (line,) = command.err.splitlines()
    assert said in line
    assert not workdir.exists()


def test_a_folder_of_submissions_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "slurm").symlink_to(tmp_path / "elsewhere")
    arguments = (*TINY, f"--workdir={tmp_path / 'w'}", "--slurm.partition=p")
    command = commands.run(tmp_path / "io", *arguments, module="launch.slurm")
    assert command.wait() == cli.BAD_INPUT
    (line,) = command.err.splitlines()
    assert "slurm is a link" in line
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["slurm"]


def test_where_slurm_is_not_one_line_says_so(tmp_path: Path) -> None:
    command = commands.start(
        tmp_path,
        *(*TINY, f"--workdir={tmp_path / 'w'}", "--slurm.partition=p"),
        module="launch.slurm",
        environment={"PATH": str(tmp_path)},
    )
    assert command.wait() == cli.BAD_INPUT
    assert command.err.splitlines()[-1].startswith("error: SLURM refused the job: ")
    assert "Traceback" not in command.err
    assert not (tmp_path / "w").exists()


def test_a_dry_run_packs_programs_by_their_work_and_writes_nothing(tmp_path: Path) -> None:
    """Widths 4, 8 and 256, each with its two seeds apart: six programs, in two tasks."""
    needs = plan.memory_by_width(tiny(widths=(4, 256)), tasks.load("digits", {}).task)
    command = commands.run(
        tmp_path,
        *(argument for argument in TINY if "widths" not in argument),
        *("--config.widths=(4,8,256)", f"--workdir={tmp_path / 'w'}", "--dry_run"),
        f"--config.max_program_bytes={needs[256].total(1, 2)}",
        *("--slurm.partition=gpu", "--slurm.tasks=2", "--slurm.gpus=1", "--slurm.minutes=30"),
        *("--slurm.sbatch=account=ours",),
        module="launch.slurm",
    )
    assert command.wait(MINUTES) == cli.DONE, command.err
    *jobs, sbatch = command.out.splitlines()
    assert [line.split(":")[0] for line in jobs] == ["task 0", "task 1"]
    assert all(line.count("w256-") == 1 for line in jobs), "the large ones are shared out"
    assert sum(int(re.findall(r": (\d+) runs", line)[0]) for line in jobs) == 12
    assert sbatch == (
        "sbatch: --partition=gpu --time=30 --nodes=1 --ntasks-per-node=1 --gpus-per-node=1 "
        "--signal=USR2@90 --requeue --account=ours"
    )
    assert not (tmp_path / "w").exists()


def test_every_state_is_counted_with_its_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue that says what a real one would, and what two submissions left behind."""
    old, new = tmp_path / "slurm" / "sweep-old", tmp_path / "slurm" / "sweep-new"
    for place, held in ((old, [["a", "b"], ["c"], ["d"]]), (new, [["e"]])):
        place.mkdir(parents=True)
        (place / "tasks.json").write_text(json.dumps(held))
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / "programs").mkdir()
    for name in "abcdef":
        record = {"program_id": name, "runs": ["r1", "r2"], "done": name == "a"}
        record["diverged"] = {"r2": 7} if name == "a" else {}
        (tmp_path / "programs" / f"{name}.json").write_text(json.dumps(record))
    (old / "1.json").write_text(json.dumps({"code": 4, "reason": "error: no\x1b space"}))
    (old / "5_2_0_log.err").write_text(
        "slurmstepd-node: error: *** STEP 5.0 CANCELLED ***\nsrun: error: exit code 3\n"
    )
    squeue = tmp_path / "squeue"
    squeue.write_text(
        "#!/bin/sh\n"
        "echo 'sweep-old|0|RUNNING|None'\n"
        "echo 'sweep-new|N/A|PENDING|QOSMaxJobsPerUserLimit|x'\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = status.states(tmp_path, status.Queue.ask(tmp_path))
    assert {program.program_id: program.state for program in found} == {
        "a": "done",
        "b": "running",
        "c": "failed",
        "d": "failed",
        "e": "queued",
        "f": "not submitted",
    }
    header, *rows = status.describe(found).splitlines()
    assert header.split() == ["programs", "runs"]
    assert [row.rsplit(maxsplit=2) for row in rows[:5]] == [
        ["done", "1", "2"],
        ["running", "1", "2"],
        ["queued", "1", "2"],
        ["failed", "2", "4"],
        ["not submitted", "1", "2"],
    ]
    assert rows[5:] == [
        "done: a: r2 diverged",
        r"failed: c: exit code 4: error: no\x1b space",
        f"failed: d: slurmstepd-node: error: *** STEP 5.0 CANCELLED ({old / '5_2_0_log.err'})",
        "queued: e: QOSMaxJobsPerUserLimit|x",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[["../victim"]]', "not a plain name"),
        ('[["/tmp/victim"]]', "not a plain name"),
        ("[[5]]", "not a plain name"),
        ("{", "cannot be read"),
        ("[5]", "cannot be read"),
    ],
)
def test_tasks_that_are_no_names_are_refused(content: str, says: str, tmp_path: Path) -> None:
    submission = tmp_path / "slurm" / "sweep-1"
    submission.mkdir(parents=True)
    (submission / "tasks.json").write_text(content)
    with pytest.raises(InputError, match=says) as error:
        status.submitted_programs(tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["sweep 1", "a,b", "linked"])
def test_submissions_that_are_no_names_or_links_are_refused(name: str, tmp_path: Path) -> None:
    place = tmp_path / ("elsewhere" if name == "linked" else f"slurm/{name}")
    place.mkdir(parents=True)
    (place / "tasks.json").write_text("[]")
    if name == "linked":
        (tmp_path / "slurm").mkdir()
        (tmp_path / "slurm" / name).symlink_to(place)
    with pytest.raises(InputError, match="is a link" if name == "linked" else "not a plain name"):
        status.submissions(tmp_path)


def run_task(workdir: Path, code: str) -> str:
    """The last line on stderr of a task, number 1 of sweep-1, that runs Python code."""
    command = [sys.executable, "-m", "launch.slurm.job", str(workdir), "sweep-1", "1", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return "".join(done.stderr.splitlines()[-1:])


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """The folder of a submission of two tasks in a working directory."""
    place = tmp_path / "w" / "slurm" / "sweep-1"
    place.mkdir(parents=True)
    (place / "tasks.json").write_text('[["a"], ["b", "c"]]')
    return place


def test_a_task_writes_its_exit_code_and_reason(submission: Path, tmp_path: Path) -> None:
    workdir, ending = tmp_path / "w", submission / "1.json"
    assert run_task(workdir, "import sys; sys.exit('no space: ' + sys.argv[1])") == (
        "no space: --programs=b,c"
    )
    assert json.loads(ending.read_text()) == {"code": 1, "reason": "no space: --programs=b,c"}
    assert run_task(workdir, "") == ""
    assert json.loads(ending.read_text()) == {"code": cli.DONE, "reason": ""}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[["a"], ["b,--workdir=/tmp"]]', "not a plain name"),
        ('[["a"]]', "no task 1"),
        ('[["a"], 5]', "cannot be read"),
    ],
)
def test_a_task_without_plain_programs_runs_nothing(
    content: str, says: str, submission: Path, tmp_path: Path
) -> None:
    (submission / "tasks.json").write_text(content)
    assert says in run_task(tmp_path / "w", f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert not (tmp_path / "ran").exists()


def test_a_task_writes_through_no_link(submission: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (submission / "1.json").symlink_to(tmp_path / "precious")
    assert "1.json is a link" in run_task(tmp_path / "w", "")
    (tmp_path / "w" / "slurm").rename(tmp_path / "elsewhere")
    (tmp_path / "w" / "slurm").symlink_to(tmp_path / "elsewhere")
    assert "slurm is a link" in run_task(tmp_path / "w", "")
    assert (tmp_path / "precious").read_text() == "precious"


def stub(folder: Path, name: str, script: str) -> None:
    """A command of SLURM in a folder, which a test puts on PATH."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("config", "most"),
    [
        ("MaxArraySize            = 5000", 5000),
        ("MaxArraySize            = 0", 1),
        ("SchedulerParameters     = bf_continue,max_array_tasks=70,x", 70),
        ("ClusterName             = c", 1001),
    ],
)
def test_an_array_has_as_many_tasks_as_the_cluster_takes(
    config: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(tmp_path, "scontrol", f"echo '{config}'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    sbatch.check_array(most)
    with pytest.raises(SweepError, match=rf"--slurm.tasks: {most + 1:,} .*--slurm.tasks={most}$"):
        sbatch.check_array(most + 1)
    stub(tmp_path, "scontrol", "exit 1")
    sbatch.check_array(most + 1)  # sbatch will say whether it takes them


@pytest.mark.parametrize("more", [[], ["--dry_run"]])
def test_more_tasks_than_an_array_takes_leave_the_workdir_alone(
    more: list[str], tmp_path: Path
) -> None:
    stub(tmp_path, "scontrol", "echo 'MaxArraySize = 1'")
    command = commands.start(
        tmp_path / "io",
        *(*SPLIT, f"--workdir={tmp_path / 'w'}", "--slurm.partition=p", *more),
        module="launch.slurm",
        environment={"PATH": f"{tmp_path}:/bin:/usr/bin"},
    )
    assert command.wait() == cli.BAD_INPUT
    assert command.err.splitlines()[-1].endswith("MaxArraySize): --slurm.tasks=1")
    assert len(command.out.splitlines()) == (3 if more else 0)
    assert not (tmp_path / "w").exists()


def test_a_script_quotes_what_a_shell_or_slurm_would_change() -> None:
    place = Path("/shared/100% $(touch x)/slurm/n")
    script = sbatch.script(place, ["module load a"], ("-m", "x", "--config.task.name='d'"), True)
    _, setup, line, end = script.split("\n")
    assert (setup, end) == ("module load a", "")
    shown = line.replace('"$SLURM_ARRAY_TASK_ID"', "7")
    *_, job, workdir, name, index, dash, module, setting = shlex.split(shown)
    assert (job, workdir, name, index) == ("launch.slurm.job", "/shared/100% $(touch x)", "n", "7")
    assert (dash, module, setting) == ("-m", "x", "--config.task.name='d'")
    assert "--output=/shared/100%% $(touch x)/slurm/n/%A_%a_%t_log.out" in shlex.split(line)


class Cluster:
    """The commands of one working directory on a real SLURM."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.workdir = folder / "w"
        self._folder, self._environment = folder, environment
        self._calls = itertools.count()

    def start(self, *arguments: str) -> commands.Command:
        """The command, started."""
        return commands.start(
            self._folder / f"call{next(self._calls)}",
            *(*arguments, f"--workdir={self.workdir}"),
            module="launch.slurm",
            environment=self._environment,
        )

    def call(self, *arguments: str, code: int = cli.DONE) -> str:
        """What the command says, or its last line on stderr where it ends with another code."""
        command = self.start(*arguments)
        assert command.wait(MINUTES) == code, command.err
        return command.err.splitlines()[-1] if code else command.out

    def submit(self, *arguments: str) -> str:
        """Submit what is missing of a sweep with room for two runs in a program."""
        return self.call(*SPLIT, "--slurm.partition=test", "--slurm.cpus=1", *arguments)

    def submit_and_begin(self) -> None:
        """Submit, and wait until every program has its first evaluation."""
        self.submit()
        programs = sorted(records(self.workdir))
        wait_until(lambda: all(self.begun(program)() for program in programs), MINUTES)

    def counts(self) -> dict[str, int]:
        """Programs in each state, and the lines after them."""
        rows = re.findall(r"^([a-z ]+?) +(\d+) +\d+$", self.call("--status"), re.MULTILINE)
        return {state: int(programs) for state, programs in rows if programs != "0"}

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.workdir.glob("slurm/*/*log.*"))

    def begun(self, program: str) -> Callable[[], bool]:
        """Whether a program's first evaluation is in its progress."""
        path = self.workdir / "progress.jsonl"
        return lambda: path.exists() and program in path.read_text()


TWO_RUNS = plan.memory_of_width(tiny(), 4, tasks.load("digits", {}).task).total(1, 2)
SPLIT = (*TINY, "--config.budget=2560000", f"--config.max_program_bytes={TWO_RUNS}")
"""Two programs of two runs, long enough to be stopped on the way."""


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    with cluster.running() as environment:
        yield environment


@pytest.fixture(scope="module")
def alone(slurm: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of the same sweep, run here without a stop."""
    del slurm  # where there is none, nothing need be run
    folder = tmp_path_factory.mktemp("alone")
    command = commands.run(folder / "io", *SPLIT, f"--workdir={folder / 'w'}")
    assert command.wait(MINUTES) == cli.DONE, command.err
    return folder / "w"


class Leaves:
    """Unpickled, it leaves a file: what a stranger's pickle might do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.slow
def test_what_the_cluster_refuses_leaves_nothing(slurm: dict[str, str], tmp_path: Path) -> None:
    on = Cluster(tmp_path, slurm)
    for arguments, said in (
        (["--slurm.partition=test", "--config.seeds=10"], "--slurm.tasks: 10 tasks are more"),
        (["--slurm.partition=absent"], "SLURM refused the job: .*[Ii]nvalid partition"),
    ):
        assert re.search(said, on.call(*SPLIT, *arguments, code=cli.BAD_INPUT))
        assert not on.workdir.exists()
    assert not cluster.live()


@pytest.mark.slow
def test_a_cancelled_job_is_submitted_again_and_goes_on(
    slurm: dict[str, str], alone: Path, tmp_path: Path
) -> None:
    """Submitted by two commands at once, with pickles in the way that nothing reads."""
    on = Cluster(tmp_path, slurm)
    with cluster.nothing_started():
        both = [on.start(*SPLIT, "--slurm.partition=test", "--slurm.cpus=1") for _ in range(2)]
        assert [command.wait(MINUTES) for command in both] == [cli.DONE] * 2
        said = sorted(command.out.splitlines()[0] for command in both)
        assert said == [
            "2 programs: 0 done, 0 queued or running, 2 to submit",
            "2 programs: 0 done, 2 queued or running, 0 to submit",
        ]
        assert len(cluster.live()) == 2
        (place,) = on.workdir.glob("slurm/*")
        for job in cluster.live():
            for name in (f"{job}_submitted.pkl", f"{job}_0_submitted.pkl"):
                (place / name).write_bytes(pickle.dumps(Leaves(tmp_path / "unpickled")))
    (first, _) = sorted(records(on.workdir))
    wait_until(on.begun(first), MINUTES)
    (task,) = (job for job in cluster.live() if job.endswith("_0"))
    subprocess.run(["scancel", task], check=True)
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"done": 1, "failed": 1}
    said = on.call("--status").splitlines()[-1]
    assert re.match(rf"failed: {first}: slurmstepd.*: error: .*CANCELLED", said)
    assert "2 programs: 1 done, 0 queued or running, 1 to submit" in on.submit()
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"done": 2}, on.logs()
    assert f"{first} continues at update" in on.logs()
    assert outputs(on.workdir) == outputs(alone)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.slow
def test_preempted_jobs_are_requeued_and_go_on(
    slurm: dict[str, str], alone: Path, tmp_path: Path
) -> None:
    """By a job of more priority that needs both of the node's processors."""
    on = Cluster(tmp_path, slurm)
    on.submit_and_begin()
    tasks = sorted(cluster.live())
    urgent = ["sbatch", "--partition=urgent", "--ntasks=2", "--output=/dev/null", "--wrap=true"]
    with cluster.nothing_started():
        subprocess.run(urgent, check=True, capture_output=True)
        wait_until(
            lambda: sorted(cluster.live()) == sorted(cluster.live("PENDING")) == tasks, MINUTES
        )
        assert on.counts() == {"queued": 2}
        assert "0 to submit" in on.submit()
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"done": 2}, on.logs()
    assert on.logs().count("continues at update") == 2
    assert outputs(on.workdir) == outputs(alone)


@pytest.mark.slow
def test_what_is_requeued_or_loses_its_node_goes_on(
    slurm: dict[str, str], alone: Path, tmp_path: Path
) -> None:
    """One task by `scontrol requeue`, which saves; then both without a warning."""
    on = Cluster(tmp_path, slurm)
    on.submit_and_begin()
    (task,) = (job for job in cluster.live() if job.endswith("_1"))
    with cluster.nothing_started():
        subprocess.run(["scontrol", "requeue", task], check=True)
        wait_until(lambda: cluster.live("PENDING") == [task], MINUTES)
        cluster.fail_node()
        wait_until(lambda: len(cluster.live("PENDING")) == 2, MINUTES)
        assert on.counts() == {"queued": 2}
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"done": 2}, on.logs()
    assert on.logs().count("continues at update") >= 1
    assert outputs(on.workdir) == outputs(alone)


@pytest.mark.slow
def test_a_time_limit_shorter_than_the_programs_takes_several_starts(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    """SLURM looks for limits every 30 seconds; the limit is 90 seconds after its signal."""
    on = Cluster(tmp_path, slurm)
    on.submit("--config.budget=640000000")
    (job,) = {job.partition("_")[0] for job in cluster.live()}
    subprocess.run(["scontrol", "update", f"JobId={job}", "TimeLimit=1"], check=True)
    wait_until(lambda: on.logs().count("interrupted: all is saved") == 2, MINUTES)
    wait_until(lambda: on.logs().count("continues at update") == 2, MINUTES)
    assert on.counts() == {"running": 2}
    subprocess.run(["scancel", job], check=True)
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"failed": 2}


@pytest.mark.slow
def test_a_job_of_two_processes_works_on_each_program_together(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    """The tasks of a step find each other, and equal one process with as many devices."""
    one, two = ({"XLA_FLAGS": f"--xla_force_host_platform_device_count={n}"} for n in (1, 2))
    on = Cluster(tmp_path, {**slurm, **one})
    on.call(*TINY, "--slurm.partition=test", "--slurm.cpus=1", "--slurm.processes_per_node=2")
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"done": 1}, on.logs()
    command = commands.start(
        tmp_path / "io", *TINY, f"--workdir={tmp_path / 'alone'}", environment=two
    )
    assert command.wait(MINUTES) == cli.DONE, command.err
    assert outputs(on.workdir) == outputs(tmp_path / "alone")


@pytest.mark.slow
def test_a_job_that_fails_is_counted_with_its_reason(slurm: dict[str, str], tmp_path: Path) -> None:
    on = Cluster(tmp_path, slurm)
    on.submit("--slurm.setup=export JAX_PLATFORMS=nonsense")
    wait_until(lambda: not cluster.live(), MINUTES)
    assert on.counts() == {"failed": 2}
    said = on.call("--status").splitlines()[-1]
    assert "and 1 more: exit code 2: " in said
    assert "nonsense" in said
