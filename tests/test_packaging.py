"""The package as it is shipped: the lock file, the wheel, the licence, which way imports point."""

import ast
import functools
import graphlib
import itertools
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mnist_horizon import __version__

CHECKOUT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
LOCK = (CHECKOUT / "requirements.lock").read_text()
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = {"linux": "x86_64", "darwin": "arm64"}

# From the lowest: a module may import, through whatever others, only what stands before it.
ORDER = {
    "mnist_horizon": [
        *("errors", "files", "registry", "lazy_jax", "horizon", "tasks", "moments", "baselines"),
        "algorithms",
        "schedules",
        *("environment", "advantages", "losses", "networks", "optimizers", "theory", "training"),
        *("devices", "noise", "results", "sweeps", "tuning"),
    ],
    "mnist_horizon.networks": ["layers", "network", "counting"],
    "mnist_horizon.sweeps": ["spec", "plan", "workdir", "progress", "runner"],
}
"""From the bottom: what each part may import lies before it."""
LIBRARY_OF_ANALYSIS = {"errors", "files", "cli", "horizon", "moments", "schedules", "theory"}
LIBRARY_OF_ANALYSIS |= {"algorithms", "results"}


def declared() -> list[Requirement]:
    """Every dependency of pyproject.toml, those of the extras too."""
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for line in sum(extras, start=PROJECT["dependencies"])]


@functools.cache
def locked() -> list[tuple[Requirement, int]]:
    """The lock's entries, each with its count of hashes."""
    entries = re.sub(r" \\\n +", " ", re.sub(r"^ *#.*\n", "", LOCK, flags=re.M)).splitlines()
    return [(Requirement(e.split(" --hash")[0]), e.count("--hash=sha256:")) for e in entries]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_a_dependency_is_bounded_and_locked_for_every_python(requirement):
    operators = {specifier.operator for specifier in requirement.specifier}
    assert operators == {">=", "<"}, "give a lower and an upper bound"
    for python, (system, machine) in itertools.product(PYTHONS, MACHINES.items()):
        environment = {
            "python_version": python,
            "python_full_version": f"{python}.9",
            "sys_platform": system,
            "platform_machine": machine,
        }
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        versions = [
            str(entry.specifier).removeprefix("==")
            for entry, _ in locked()
            if canonicalize_name(entry.name) == canonicalize_name(requirement.name)
            and (entry.marker is None or entry.marker.evaluate(environment))
        ]
        where = f"Python {python}, {system}"
        assert len(versions) == 1, f"{where}: locked {versions or 'nothing'} (make lock)"
        assert requirement.specifier.contains(versions[0], prereleases=True), "run make lock"


WORKFLOW = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "test.yml").read_text())


def test_the_pythons_and_systems_that_are_promised_are_tested():
    classifiers = [one.split(" :: ") for one in PROJECT["classifiers"]]
    pythons = [one[-1] for one in classifiers if one[:2] == ["Programming Language", "Python"]]
    systems = {one[-1] for one in classifiers if one[0] == "Operating System"}
    matrix = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]
    assert pythons == list(PYTHONS) == matrix["python"]
    assert systems == {"Linux", "MacOS"}
    assert matrix["os"] == ["ubuntu-latest", "macos-latest"]
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(f">={pythons[0]}")
    promise = f"On Linux or macOS with Python {pythons[0]} to {pythons[-1]}"
    assert promise in (CHECKOUT / "README.md").read_text()


def test_the_workflow_runs_the_makefile_and_keeps_what_it_downloads():
    steps = WORKFLOW["jobs"]["test"]["steps"]
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = [step["run"].split()[1] for step in steps if step.get("run", "").startswith("make ")]
    assert targets == ["quickstart", "test"]
    assert all(re.search(rf"^{target}:", makefile, flags=re.M) for target in targets)
    used = {step["uses"]: step.get("with") for step in steps if "uses" in step}
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used)
    (python,) = [given for name, given in used.items() if "/setup-python@" in name]
    assert python == {"python-version": "${{ matrix.python }}"}
    (cache,) = [given for name, given in used.items() if "/cache@" in name]
    assert "export UV_CACHE_DIR := $(CACHE)/uv" in makefile
    assert cache["path"] == ".cache/uv"
    key = set(re.findall(r"[\w.]+", cache["key"]))
    assert {"matrix.python", "runner.os", "pyproject.toml", "requirements.lock"} <= key


def test_every_locked_package_has_a_version_and_hashes_and_no_address():
    assert len(locked()) > 100
    for requirement, hashes in locked():
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
        assert requirement.url is None, requirement
        assert hashes > 0, requirement
    assert not re.search(r"://|file:|^\s*-[^-]|--(?!hash=)", LOCK, flags=re.M)


def test_the_site_is_no_dependency_of_the_library_and_its_build_is_strict():
    extras = PROJECT["optional-dependencies"]
    names = {extra: {Requirement(line).name for line in extras[extra]} for extra in extras}
    assert {extra for extra in names if "mkdocs" in names[extra]} == {"docs"}
    assert "mkdocs build --strict" in (CHECKOUT / "Makefile").read_text()
    assert "site/" in (CHECKOUT / ".gitignore").read_text().splitlines()


def test_the_wheel_carries_the_library_alone(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    about = f"mnist_horizon-{__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"mnist_horizon", about}
    python = {name for name in names if name.endswith(".py")}
    sources = (CHECKOUT / "mnist_horizon").rglob("*.py")
    assert python == {path.relative_to(CHECKOUT).as_posix() for path in sources}
    assert {"mnist_horizon/py.typed", f"{about}/licenses/LICENSE"} <= set(names)


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Dotted names and files of a package's modules."""
    for path in sorted((CHECKOUT / package).rglob("*.py")):
        yield ".".join(path.relative_to(CHECKOUT).with_suffix("").parts), path


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a module imports anywhere in it: `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def library_parts(names: Iterator[str], package: str = "mnist_horizon") -> set[str]:
    """Direct modules and subpackages of a package that dotted names lie in."""
    within = (name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}."))
    return {name.split(".")[0] for name in within}


def library_graph(package: str) -> dict[str, set[str]]:
    """For each module or subpackage of a package, those of them that it imports."""
    graph: dict[str, set[str]] = {}
    for name, path in modules("mnist_horizon"):
        for part in library_parts(iter([name]), package):
            graph.setdefault(part, set()).update(library_parts(imported(path), package) - {part})
    return graph


def test_the_library_imports_neither_launch_nor_analysis():
    for name, path in modules("mnist_horizon"):
        assert not {i.split(".")[0] for i in imported(path)} & {"launch", "analysis"}, name


def test_analysis_never_imports_the_training():
    used = set()
    for name, path in modules("analysis"):
        parts = library_parts(imported(path))
        assert parts <= LIBRARY_OF_ANALYSIS, name
        assert "launch" not in {i.split(".")[0] for i in imported(path)}, name
        used |= parts
    assert used, "the test looks at nothing"


LATER = {
    "analysis": {"jax", "jaxlib", "flax", "optax", "orbax", "scipy.stats", "matplotlib", "altair"},
    "launch": {"scipy", "pandas", "pyarrow", "orbax", "matplotlib"},
}
"""What the commands leave out until they have read their input, so that they start fast."""

COMMANDS = [
    *(f"analysis.{name}" for name in ("report", "coverage", "plan", "anchors", "import_csv")),
    "analysis.privileged_basis",
    *(f"launch.{name}" for name in ("sweep", "bench", "tune", "slurm.__main__")),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_starts_without_what_it_may_not_need(command):
    code = f"import sys, {command}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    loaded = done.stdout.split()
    assert {"numpy", command} <= set(loaded), "the test looks at nothing"
    assert not LATER[command.split(".")[0]] & set(loaded)


@pytest.mark.parametrize("package", ORDER)
def test_imports_of_the_library_point_one_way(package):
    graph, order = library_graph(package), ORDER[package]
    assert set(order) <= graph.keys()
    reached: dict[str, set[str]] = {}
    for part in graphlib.TopologicalSorter(graph).static_order():  # raises on a cycle
        below = graph.get(part, set())
        reached[part] = below.union(*(reached[p] for p in below))
    for place, part in enumerate(order):
        assert not reached[part] & set(order[place:]), part


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_asks_for_another_python_in_one_line(tmp_path):
    command = ["make", "setup", "PYTHON=false", f"VENV={tmp_path}/venv"]
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "Python 3.11 or newer is needed" in result.stderr.splitlines()[0]
    assert not list(tmp_path.iterdir())


TESTED_ELSEWHERE = {
    "launch/benchmarks/*": "by their commands: launch/test_bench.py",
    "launch/configs/*": "read by launch/test_cli.py and launch/test_fuzz_config.py",
    "launch/forecast.py": "printed by the sweep's command: launch/test_sweep.py",
    "launch/slurm/*": "launch/test_slurm.py, and launch/test_cluster.py with SLURM itself",
    "mnist_horizon/algorithms.py": "names alone; mnist_horizon/test_training.py uses each",
    "mnist_horizon/baselines.py": "names alone; mnist_horizon/test_advantages.py uses each",
    "mnist_horizon/errors.py": "classes alone",
    "mnist_horizon/moments.py": "records alone; mnist_horizon/test_theory.py computes with them",
    "mnist_horizon/results/*": "as a whole: mnist_horizon/test_results.py",
    "mnist_horizon/sweeps/program_runner.py": "mnist_horizon/sweeps/test_runner.py",
    "mnist_horizon/tasks/checksums.py": "numbers alone; mnist_horizon/tasks/test_images.py",
    "mnist_horizon/tasks/task.py": "records alone; each task's test makes some",
}
"""Modules without a test file of their own, and why; none of `analysis`."""


@pytest.mark.parametrize("package", ["analysis", "launch", "mnist_horizon"])
def test_every_module_has_a_test_file_that_mirrors_it(package):
    found = [path.relative_to(CHECKOUT) for _, path in modules(package)]
    found = [path for path in found if path.name != "__init__.py"]
    assert found, "the test looks at nothing"
    missing = [
        path.as_posix()
        for path in found
        if not (CHECKOUT / "tests" / path.with_name(f"test_{path.name}")).exists()
        and not any(path.match(listed) for listed in TESTED_ELSEWHERE)
    ]
    assert not missing


def test_every_test_file_of_analysis_mirrors_a_module():
    tests = (CHECKOUT / "tests" / "analysis").rglob("test_*.py")
    mirrored = {path.relative_to(CHECKOUT / "tests") for path in tests}
    names = {path.with_name(path.name.removeprefix("test_")) for path in mirrored}
    lost = {path.as_posix() for path in names if not (CHECKOUT / path).exists()}
    assert lost == {
        "analysis/laws/precision.py",  # the laws of runs at lower precisions
        "analysis/page/browser.py",  # the page in a browser
        "analysis/tour.py",  # the notebook
        "analysis/worlds.py",  # how often the page's claims are false: tests/worlds
    }
