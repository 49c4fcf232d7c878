"""The site: every public module is in its reference, and it builds without a warning."""

import importlib.util
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import analysis
import mnist_horizon
from mnist_horizon import settings
from mnist_horizon.tuning import tuning_settings
from tests.docs.pages import CHECKOUT


def load_hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hooks", CHECKOUT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public_modules() -> Iterator[str]:
    """Dotted names of all modules of the library and the analysis, save those with a `_`."""
    for package in (mnist_horizon, analysis):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(part.startswith("_") for part in module.name.split(".")):
                yield module.name


def test_every_public_module_is_in_the_reference() -> None:
    text = "\n".join(load_hooks().reference().values())
    documented = re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE)
    assert sorted(documented) == sorted(public_modules())


def test_a_new_module_gets_its_page_and_a_private_one_does_not(tmp_path: Path) -> None:
    files = ["__init__.py", "new.py", "_private.py", "room/__init__.py", "room/inner.py"]
    for package in ("mnist_horizon", "analysis"):
        for file in files:
            path = tmp_path / package / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("from mnist_horizon.room.inner import thing\n")
    pages = load_hooks().reference(tmp_path)
    names = {Path(address).relative_to("reference").as_posix() for address in pages}
    assert names == {
        *("mnist_horizon.md", "mnist_horizon/new.md", "mnist_horizon/room.md"),
        *("analysis.md", "analysis/new.md", "analysis/room.md"),
    }
    room = pages["reference/mnist_horizon/room.md"]
    assert re.findall(r"^::: (\S+)$", room, flags=re.MULTILINE) == [
        "mnist_horizon.room",
        "mnist_horizon.room.inner",
    ]
    assert 'identifier="mnist_horizon.room.inner.thing"' in room


def test_the_page_of_settings_has_what_help_lists() -> None:
    page = load_hooks().settings_page()
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| (.*) \| (.*?) \|$", page, re.MULTILINE)
    fields = tuning_settings()
    assert [row[0] for row in rows] == [one.name for one in fields]
    listed = " ".join(settings.as_text(fields).split())
    for name, kind, default, choices, meaning in rows:
        facts = [kind, default if default == "must be given" else f"default: {default[1:-1]}"]
        facts += [f"one of: {choices.replace('`', '')}"] if choices else []
        assert f"{name}: {meaning} ({'; '.join(facts)})" in listed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_the_settings(site: Path) -> None:
    assert "<code>batch.rollout_length</code>" in (site / "settings.html").read_text()


@pytest.mark.slow
def test_what_is_public_has_its_place_in_the_site(site: Path) -> None:
    pages = "\n".join(page.read_text() for page in site.rglob("*.html"))
    places = set(re.findall(r'id="([^"]+)"', pages))
    for name in public_modules():
        assert name in places
    members = {place.rpartition(".")[2] for place in places if place.startswith("mnist_horizon.")}
    assert set(getattr(mnist_horizon, "__all__", ())) <= members


@pytest.mark.slow
def test_the_site_asks_no_other_machine_for_anything(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r"""<(?:script|link|img|iframe)[^>]*["'](?:https?:)?//[^>]*>""", text)
        loaded += re.findall(r"""url\(["']?(?:https?:)?//[^)]*\)""", text)
        assert not loaded, page
