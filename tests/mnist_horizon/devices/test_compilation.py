"""Compiled programs are kept where only their user writes, and GPUs are asked for the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from mnist_horizon import devices
from mnist_horizon.devices import compilation


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What JAX is told, by a user with no settings of their own."""
    for name in (*os.environ,):
        if name.startswith(("JAX_", "XLA_", "XDG_")):
            monkeypatch.delenv(name)
    found: dict[str, object] = {}
    monkeypatch.setattr(jax.config, "update", found.__setitem__)
    say_folder(None, monkeypatch)
    return found


def say_folder(folder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this the folder that the user gave to JAX, which reads variables when imported."""
    values = {**jax.config.values, "jax_compilation_cache_dir": folder}
    monkeypatch.setattr(type(jax.config), "values", values)


def test_programs_are_kept_in_a_folder_of_the_user_alone(
    told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    devices.keep_compiled()
    folder = Path(str(told["jax_compilation_cache_dir"]))
    assert folder.parent == tmp_path / "cache" / "mnist_horizon" / "jax"
    for path in (folder, folder.parent, folder.parent.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    assert told["jax_persistent_cache_min_compile_time_secs"] == 0.0
    assert told["jax_persistent_cache_min_entry_size_bytes"] == -1


def test_without_a_cache_folder_of_its_own_the_home_is_used(
    told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    devices.keep_compiled()
    folder = Path(str(told["jax_compilation_cache_dir"]))
    assert folder.parent == tmp_path / ".cache" / "mnist_horizon" / "jax"


def test_settings_of_the_user_stay(
    told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    say_folder("/of/them", monkeypatch)
    devices.keep_compiled()
    assert told == {"jax_persistent_cache_min_entry_size_bytes": -1}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["file", "link", "open to others", "of another"])
def test_a_folder_that_is_not_private_is_not_used(
    fault: str, told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "mnist_horizon"
    if fault == "file":
        folder.write_text("")
    elif fault == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir(mode=0o700)
    if fault == "open to others":
        folder.chmod(0o770)
    if fault == "of another":
        monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    devices.keep_compiled()
    assert told == {}


def test_another_cpu_has_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text
    names = {compilation._processor()}
    for flags in ("fpu avx", "fpu avx avx2"):
        text = f"processor : 0\nmodel name : CPU\nflags : {flags}\ncpu MHz : %d\n\nprocessor : 1\n"
        for megahertz in (1000, 2000):
            fake = text % megahertz
            monkeypatch.setattr(Path, "read_text", lambda path, *a, fake=fake: fake)
            names.add(compilation._processor())
    monkeypatch.setattr(Path, "read_text", read)
    assert len(names) == 3, "two of flags and this machine's; the clock's speed is no part"


CHILD = """
import sys, time
import jax, jax.numpy as jnp
from jax import monitoring
from mnist_horizon import devices
hits = []
monitoring.register_event_listener(lambda name, **_: hits.append(name))
devices.keep_compiled()
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3))).block_until_ready()
print(sum(name == "/jax/compilation_cache/cache_hits" for name in hits))
"""


def test_a_second_process_loads_what_the_first_compiled_and_a_cut_file_harms_nobody(
    tmp_path: Path,
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = {**kept, "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path)}

    def loaded() -> int:
        found = subprocess.run(
            [sys.executable, "-c", CHILD], capture_output=True, text=True, env=environment
        )
        assert found.returncode == 0, found.stderr
        return int(found.stdout)

    assert loaded() == 0
    everything = loaded()
    assert everything > 0
    entry, *_ = tmp_path.rglob("*-cache")
    entry.write_bytes(entry.read_bytes()[:100])
    assert loaded() == everything - 1


def test_a_home_that_cannot_be_written_is_no_error(
    told: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    devices.keep_compiled()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    devices.keep_compiled()
    assert told == {}


@pytest.mark.parametrize(
    ("flags", "platform", "options", "is_deterministic"),
    [
        ("", "cpu", None, False),
        ("", "tpu", None, False),
        ("", "gpu", {"xla_gpu_deterministic_ops": True}, True),
        ("--xla_gpu_autotune_level=0", "cuda", {"xla_gpu_deterministic_ops": True}, True),
        ("--xla_gpu_deterministic_ops=false", "gpu", None, False),
        ("--xla_gpu_deterministic_ops=true", "gpu", None, True),
        ("--a --xla_gpu_deterministic_ops --b", "rocm", None, True),
        ("--xla_gpu_deterministic_ops=true", "cpu", None, False),
    ],
)
def test_a_gpu_is_asked_for_deterministic_kernels_unless_the_user_chose(
    flags: str,
    platform: str,
    options: dict[str, bool] | None,
    is_deterministic: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert compilation.compiler_options(platform) == options
    assert compilation.is_deterministic(platform) == is_deterministic


def test_this_xla_knows_the_option() -> None:
    """It refuses options that it does not know, on every platform."""
    options = compilation.compiler_options("gpu")
    assert jax.jit(lambda x: x + 1, compiler_options=options)(jnp.zeros(())) == 1
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        jax.jit(lambda x: x + 1, compiler_options={"xla_gpu_nonsense": True})(jnp.zeros(()))
