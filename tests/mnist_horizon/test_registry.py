"""Names belong to one entry each; what is wrong with a name is said in one line."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from mnist_horizon.errors import InputError
from mnist_horizon.registry import Registry


def read(path: Path, code: str) -> ModuleType:
    """A module read from a file, as a config file is: not among `sys.modules`."""
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("config", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class SpoonError(InputError):
    pass


@pytest.fixture
def functions() -> Registry:
    return Registry("spoon", "spoon.name", error=SpoonError)


FUNCTION = "def ladle():\n    return 1\n"
CLASS = "class Ladle:\n    def hold(self):\n        return 1\n"


def test_names_are_sorted_and_found(functions: Registry) -> None:
    functions.add("b", len)
    functions.add("a", max)
    assert functions.names() == ["a", "b"]
    assert functions.get("a") is max


def test_an_unknown_name_is_refused_with_the_names(functions: Registry) -> None:
    functions.add("b", len)
    functions.add("a", max)
    with pytest.raises(SpoonError) as caught:
        functions.get("c")
    assert str(caught.value) == "spoon.name: unknown spoon 'c': choose from a, b"


@pytest.mark.parametrize(("code", "name"), [(FUNCTION, "ladle"), (CLASS, "Ladle")])
def test_a_file_may_be_read_twice_and_another_may_not_take_its_name(
    code: str, name: str, tmp_path: Path
) -> None:
    registry: Registry = Registry("spoon", "spoon.name", error=SpoonError)
    first, again = (getattr(read(tmp_path / "one.py", code), name) for _ in range(2))
    registry.add("ladle", first)
    registry.add("ladle", again)
    assert registry.get("ladle") is again
    other = getattr(read(tmp_path / "two.py", code), name)
    with pytest.raises(SpoonError, match=f"spoon 'ladle' is already registered by {name}"):
        registry.add("ladle", other)
    assert registry.get("ladle") is again


@pytest.mark.parametrize("name", ["", "../ladle", "/ladle", ".ladle", "ladle x"])
def test_a_name_that_may_not_become_part_of_a_path_is_refused(
    functions: Registry, name: str
) -> None:
    with pytest.raises(SpoonError, match="its name must be plain"):
        functions.add(name, len)
    assert functions.names() == []


def test_what_is_not_registered_gets_a_name_of_its_own(functions: Registry, tmp_path: Path) -> None:
    one, other = (read(tmp_path / f"{n}.py", CLASS).Ladle for n in ("one", "two"))
    assert [functions.name_of(cls) for cls in (one, other, one)] == ["ladle", "ladle_2", "ladle"]
    assert functions.get("ladle_2") is other
