"""The container file and the JobSets: their own validators, and the command that they call."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist_horizon import cli
from tests.launch import commands
from tests.launch.test_hosts import ended, start_pair

CLUSTER = commands.CHECKOUT / "launch" / "cluster"
JOBSETS = ("tpu", "gpu")


def jobset(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CLUSTER / f"{name}.yaml").read_text()))


def job(name: str) -> dict[str, Any]:
    (replicated,) = jobset(name)["spec"]["replicatedJobs"]
    return dict(replicated["template"]["spec"])


def container(name: str) -> dict[str, Any]:
    (only,) = job(name)["template"]["spec"]["containers"]
    return dict(only)


def test_the_container_file_passes_its_linter() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if not hadolint:
        pytest.skip("hadolint is not installed")
    file = str(CLUSTER / "Containerfile")
    found = subprocess.run([hadolint, file], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_container_holds_what_its_build_needs() -> None:
    text = (CLUSTER / "Containerfile").read_text()
    copied = re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
    for source in " ".join(copied).split():
        assert (commands.CHECKOUT / source).exists(), source
    assert "python -m launch.uv_like_pip uv pip install" in text, "from pip's index"
    (wanted,) = set(re.findall(r"uv>=[\d.]+,<\d", text))
    assert wanted in (commands.CHECKOUT / "Makefile").read_text()
    assert 'ENTRYPOINT ["python", "-m", "launch.sweep"]' in text


@pytest.mark.parametrize("name", JOBSETS)
def test_a_jobset_is_one(name: str) -> None:
    """Against the models that are made of JobSet's own schema; they drop what they don't know."""
    models = pytest.importorskip("kubeflow_trainer_api.models")
    known = models.JobsetV1alpha2JobSet.from_dict(jobset(name))
    assert known.to_dict() == jobset(name)
    broken = jobset(name)
    broken["spec"]["failurePolicies"] = broken["spec"].pop("failurePolicy")
    assert models.JobsetV1alpha2JobSet.from_dict(broken).to_dict() != broken


@pytest.mark.parametrize("name", JOBSETS)
def test_a_jobset_restarts_what_was_interrupted_and_nothing_else(name: str) -> None:
    spec, pod = job(name), job(name)["template"]["spec"]
    assert spec["parallelism"] == spec["completions"], "the hosts run at the same time"
    assert spec["backoffLimit"] == 0, "one host alone can't go on"
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["containerName"] == container(name)["name"]
    assert rule["onExitCodes"]["values"] == [cli.FAILED, cli.BAD_INPUT]
    assert pod["restartPolicy"] == "Never", "else the policy for exit codes is refused"
    mounted = {mount["name"] for mount in container(name)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_flags_of_hosts_are_those_of_the_jobset() -> None:
    arguments = container("gpu")["args"]
    name = jobset("gpu")["metadata"]["name"]
    (replicated,) = jobset("gpu")["spec"]["replicatedJobs"]
    assert f"--num_processes={job('gpu')['completions']}" in arguments
    assert "--process_id=$(JOB_COMPLETION_INDEX)" in arguments
    assert f"--coordinator={name}-{replicated['name']}-0-0.{name}:8476" in arguments


@pytest.mark.slow
def test_the_command_of_the_hosts_runs(tmp_path: Path) -> None:
    """Two processes with the arguments of the two pods; only names of places are replaced."""
    kept = [
        argument
        for argument in container("gpu")["args"]
        if not argument.startswith(("--coordinator", "--workdir", "--process_id"))
    ]
    pair = start_pair(tmp_path, *kept, f"--workdir={tmp_path / 'w'}", "--dry_run")
    assert ended(pair) == [cli.DONE] * 2, [command.err for command in pair]
    assert "expected time" in pair[0].out
    said = [line for line in pair[1].out.splitlines() if "Gloo" not in line]
    assert said == [], "only the first process speaks"
