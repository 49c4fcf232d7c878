"""The texts at the root: their examples run as written, and what they name exists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jax
import pytest
import yaml
from packaging.requirements import Requirement

import mnist_horizon
from mnist_horizon.results import read_results
from tests.docs.pages import python_blocks
from tests.mnist_horizon.test_adapters import needs_gymnax
from tests.test_packaging import PROJECT

CHECKOUT = Path(__file__).parent.parent
TEXTS = ["README.md", "RESULTS.md", "CONTRIBUTING.md", "launch/PERFORMANCE.md"]
TEXTS += sorted(path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob("docs/*.md"))
README_SECTIONS = ["Two commands", "In Python", "What it finds", "Real MNIST", "Longer sweeps"]
README_SECTIONS += ["How to read the results", "The environment alone", "Related work", "The house"]
CONTRIBUTING_SECTIONS = ["Set up", "Test", "The map", "Add a part", "Style"]
CONTRIBUTING_SECTIONS += ["How numbers are reported", "Renew the lock"]
SECTIONS = [("README.md", title) for title in README_SECTIONS]
SECTIONS += [("CONTRIBUTING.md", title) for title in CONTRIBUTING_SECTIONS]
SECTIONS += [("CHANGELOG.md", f"[{title}]") for title in ("Unreleased", mnist_horizon.__version__)]
RELATED = ["bsuite", "MDP Playground", "PureJaxRL", "rejax", "rliable", "effective horizon"]
RELATED += ["ScaleRL", "METR"]


def read(path: str) -> str:
    return (CHECKOUT / path).read_text()


def section(path: str, title: str) -> str:
    """The text of a section of the second level."""
    found = re.search(
        rf"^## {re.escape(title)}.*?(?=^## |\Z)", read(path), re.DOTALL | re.MULTILINE
    )
    assert found is not None, f"{path} has no section {title!r}"
    return found[0]


def readme_block(part: str) -> str:
    (block,) = [code for _, code in python_blocks("README.md") if part in code]
    return block


@pytest.mark.slow
def test_the_first_example_runs_as_written() -> None:
    namespace: dict[str, Any] = {}
    exec(readme_block("mh.train"), namespace)
    assert len(namespace["curves"].frame.run_id.unique()) == 20


def test_the_stored_results_of_the_papers_grid_are_whole() -> None:
    stored = read_results(CHECKOUT / "docs" / "results" / "paper")
    assert stored.frame.groupby("run_id")["interactions"].max().eq(4_194_304).sum() == 792
    assert not stored.notes


@needs_gymnax
def test_the_adapters_are_made_as_written() -> None:
    namespace: dict[str, Any] = {}
    exec(readme_block("make_gymnax"), namespace)
    assert namespace["envs"].num_envs == 16
    key = jax.random.key(0)
    observation, _ = namespace["env"].reset(key, namespace["env_params"])
    assert observation.shape == (8, 8)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_quickstart_without_make_is_that_of_make() -> None:
    written = re.findall(r"^    (.*\.venv/bin/.*)$", section("README.md", "Two commands"), re.M)
    assert written[0] == "python3 -m venv .venv && .venv/bin/pip install --editable ."
    make = ["make", "--dry-run", "quickstart"]
    planned = subprocess.run(make, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    run = [line for line in planned.splitlines() if line.startswith(".venv/bin/python -m ")]
    assert [line for line in run if "uv_like_pip" not in line] == written[1:]


@pytest.mark.parametrize(
    ("title", "extra", "packages"),
    [
        ("How to read the results", "notebook", {"ipykernel", "nbclient"}),
        ("The environment alone", "adapters", {"gymnax", "gymnasium"}),
    ],
)
def test_an_extra_is_named_beside_what_needs_it(title, extra, packages) -> None:
    assert f"make setup EXTRAS={extra}" in " ".join(section("README.md", title).split())
    required = PROJECT["optional-dependencies"][extra]
    assert {Requirement(line).name for line in required} == packages
    assert set(required) <= set(PROJECT["optional-dependencies"]["dev"]), "what is tested"


@pytest.mark.parametrize("text", TEXTS)
def test_extras_that_a_text_names_exist(text: str) -> None:
    named = re.findall(r"EXTRAS='?([a-z -]+)", read(text))
    assert {extra for names in named for extra in names.split()} <= PROJECT[
        "optional-dependencies"
    ].keys()


@pytest.mark.parametrize(("path", "title"), SECTIONS)
def test_a_section_is_there(path: str, title: str) -> None:
    assert len(section(path, title).splitlines()) > 2


@pytest.mark.parametrize("name", RELATED)
def test_related_work_is_set_apart(name: str) -> None:
    assert name in section("README.md", "Related work")


@pytest.mark.parametrize("text", TEXTS)
def test_commands_that_a_text_names_exist(text: str) -> None:
    for module in re.findall(r"python -m ((?:launch|analysis)\.\w+)", read(text)):
        path = CHECKOUT / Path(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@pytest.mark.parametrize("text", TEXTS)
def test_links_of_a_text_lead_somewhere(text: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", read(text)):
        in_site = text.startswith("docs/") and made_for_the_site(target)
        assert in_site or (CHECKOUT / text).parent.joinpath(target).exists(), target


def made_for_the_site(target: str) -> bool:
    """Whether the link leads to a page that the site gets from the root or from docstrings."""
    root = {Path(name).name for name in [*TEXTS, "CHANGELOG.md"]}
    return target in root or target.startswith("reference/")


def test_rooms_and_files_that_the_map_names_exist() -> None:
    folder, missing, count = Path(), [], 0
    for line in section("CONTRIBUTING.md", "The map").splitlines():
        entry = re.match(r"    (  )?([\w./]+)  ", line)
        if entry is None:
            continue
        if entry[1] is None:
            folder = Path(entry[2])
        path = folder / entry[2] if entry[1] else folder
        count += 1
        if not (CHECKOUT / path).exists():
            missing.append(path.as_posix())
    assert count > 20
    assert missing == []


def test_modules_that_moved_are_where_the_changelog_says() -> None:
    rows = re.findall(r"^\| (`.*) \| (`.*) \|$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert len(rows) > 10
    for before, now in rows:
        for module in re.findall(r"`([\w.]+\.[\w.]+)`", now):
            path = CHECKOUT / Path(*module.split("."))
            assert path.is_dir() or path.with_suffix(".py").exists(), module
        for module in re.findall(r"`([\w.]+\.[\w.]+)`", before):
            assert not (CHECKOUT / Path(*module.split("."))).with_suffix(".py").exists(), module


def test_the_software_is_cited_at_its_version() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    required = {"cff-version", "message", "title", "authors"}
    assert required <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == mnist_horizon.__version__
    (paper,) = citation["references"]
    assert paper["identifiers"][0]["value"] == "arXiv:2301.13442"
