"""How programs are compiled: with deterministic kernels on GPUs, and kept for the next start."""

import hashlib
import os
import platform
import re
import stat
from pathlib import Path

import jax

DETERMINISTIC = "xla_gpu_deterministic_ops"
"""XLA's option: only kernels that give the same bits at every run, and none chosen by timing."""

GPUS = ("gpu", "cuda", "rocm")


def compiler_options(platform_name: str) -> dict[str, str | bool] | None:
    """XLA's options for programs of a platform: deterministic kernels on a GPU, else none.

    They are given with each program and not in `XLA_FLAGS`: what else the process computes, and
    programs for CPUs, are compiled as ever. A choice that the user made in `XLA_FLAGS` stays.

    Args:
        platform_name: of the devices, as JAX calls it.
    """
    if platform_name not in GPUS or _user_choice() is not None:
        return None
    return {DETERMINISTIC: True}


def is_deterministic(platform_name: str) -> bool:
    """Whether programs for this platform are compiled with GPU kernels that are deterministic."""
    return platform_name in GPUS and _user_choice() is not False


def _user_choice() -> bool | None:
    """What `XLA_FLAGS` says of deterministic kernels; the last mention counts, as for XLA."""
    found = re.findall(rf"--{DETERMINISTIC}(?:=(\w+))?(?!\w)", os.environ.get("XLA_FLAGS", ""))
    return found[-1].lower() in ("", "true", "1") if found else None


def keep_compiled() -> None:
    """Keep compiled programs on disk, so that a later start of the same sweep loads them.

    They are code, so they are in a folder of the user's own that no one else may write, and never
    in a working directory, which may be shared: `$XDG_CACHE_HOME` or `~/.cache`, then
    `mnist_horizon/jax/` and a folder for each kind of CPU, since a home may be shared by machines
    of several. A folder that the user gave to JAX (`JAX_COMPILATION_CACHE_DIR`) is used instead;
    where there is no such folder, nothing is kept. All of a process's JAX programs are kept so.

    Call it before JAX compiles anything.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        folder = _private_folder()
        if folder is None:
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
    # JAX keeps only what took a second to compile; the many small functions of a start add up.
    for name, value in (("min_compile_time_secs", 0.0), ("min_entry_size_bytes", -1)):
        if f"JAX_PERSISTENT_CACHE_{name.upper()}" not in os.environ:
            jax.config.update(f"jax_persistent_cache_{name}", value)


def _private_folder() -> Path | None:
    """This user's folder for programs compiled for this CPU; None where it cannot be had."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("mnist_horizon", "jax", _processor()):
            folder /= name
            folder.mkdir(mode=0o700, exist_ok=True)
            if not _is_private(folder):
                return None
    except (OSError, RuntimeError):  # no home, no room, no right to write
        return None
    return folder


def _is_private(folder: Path) -> bool:
    """Whether this is a folder, not a link, that this user owns and no other may write."""
    state = folder.lstat()
    others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    is_ours = stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not others
    return is_ours and os.access(folder, os.W_OK)


def _processor() -> str:
    """A folder's name for this kind of CPU: its model, its features, and the number of its cores.

    Code for another CPU may use instructions that this one lacks, and XLA cuts loops by the number
    of cores.
    """
    facts = [platform.machine(), platform.processor(), str(os.cpu_count())]
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:  # not Linux
        lines = []
    names = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features")
    facts += [line for line in lines if line.partition(":")[0].strip() in names]
    return f"{platform.machine()}-{hashlib.sha256(chr(10).join(facts).encode()).hexdigest()[:12]}"
