"""Chips that programs are compiled for without having them: what they are, and how to reach them.

The compilers of accelerators need none: JAX gives devices of a described topology, for which
programs are compiled and never run. The numbers are those of the vendors' data sheets, without
sparsity; what a kernel costs to launch is an assumption.
"""

import functools
import math
import os
import re
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import jax
from jax.experimental import topologies

from mnist_horizon.devices.hlo import Kernel, Module
from mnist_horizon.errors import SweepError

GPU, TPU = "cuda", "tpu"
GPU_LAUNCH_SECONDS, TPU_LAUNCH_SECONDS = 3e-6, 1e-6
"""Assumed, per kernel. A GPU's follow one another in a stream; a TPU launches none, but the first
bytes of each operation take about as long to arrive."""


@dataclass(frozen=True)
class Chip:
    """What is known of a chip.

    Attributes:
        name: as `--target` has it.
        platform: of JAX.
        memory: bytes.
        bandwidth: of the memory, bytes/s.
        flops: of dense products, by this project's precisions. On a TPU f32 is six passes of bf16
            (`Precision.HIGHEST`) and tf32 three (`Precision.HIGH`); on a GPU f32 has no tensor
            cores.
        description: for a GPU, what XLA needs to know of it.
    """

    name: str
    platform: str
    memory: float
    bandwidth: float
    flops: Mapping[str, float]
    description: str = ""

    @property
    def launch_seconds(self) -> float:
        """Per kernel."""
        return GPU_LAUNCH_SECONDS if self.platform == GPU else TPU_LAUNCH_SECONDS


def _tpu(name: str, memory: float, bandwidth: float, bf16: float) -> Chip:
    return Chip(name, TPU, memory, bandwidth, {"f32": bf16 / 6, "tf32": bf16 / 3, "bf16": bf16})


def _gpu(
    name: str,
    memory: float,
    bandwidth: float,
    flops: Sequence[float],
    device: str,
    **info: int | float,
) -> Chip:
    common = {
        "threads_per_block_limit": 1024,
        "threads_per_warp": 32,
        "shared_memory_per_block": 49152,
        "threads_per_core_limit": 2048,
        "block_dim_limit_x": 2147483647,
        "block_dim_limit_y": 65535,
        "block_dim_limit_z": 65535,
        "memory_bandwidth": round(bandwidth),
        "device_memory_size": round(memory),
        "registers_per_core_limit": 65536,
        "registers_per_block_limit": 65536,
    }
    major = info.pop("major")
    fields = " ".join(f"{key}: {value}" for key, value in {**common, **info}.items())
    description = (
        f"gpu_device_info {{ {fields} cuda_compute_capability {{ major: {major} }} }} "
        'platform_name: "CUDA" dnn_version_info { major: 9 minor: 8 patch: 0 } '
        f'device_description_str: "{device}"'
    )
    by_precision = dict(zip(("f32", "tf32", "bf16"), flops, strict=True))
    return Chip(name, GPU, memory, bandwidth, by_precision, description)


_AMPERE = {
    "major": 8,
    "core_count": 108,
    "fpus_per_core": 64,
    "shared_memory_per_core": 167936,
    "shared_memory_per_block_optin": 166912,
    "l2_cache_size": 41943040,
    "clock_rate_ghz": 1.41,
}
_HOPPER = {
    "major": 9,
    "core_count": 132,
    "fpus_per_core": 128,
    "shared_memory_per_core": 233472,
    "shared_memory_per_block_optin": 232448,
    "l2_cache_size": 52428800,
    "clock_rate_ghz": 1.98,
}
_H_FLOPS = (67e12, 494.7e12, 989.4e12)

CHIPS = {
    chip.name: chip
    for chip in (
        _tpu("v5e", 16e9, 819e9, 197e12),
        _tpu("v5p", 95e9, 2765e9, 459e12),
        _tpu("v6e", 32e9, 1640e9, 918e12),
        _gpu(
            "a100",
            80e9,
            2039e9,
            (19.5e12, 156e12, 312e12),
            "NVIDIA A100-SXM4-80GB",
            **_AMPERE,
        ),
        _gpu("h100", 80e9, 3350e9, _H_FLOPS, "NVIDIA H100 80GB HBM3", **_HOPPER),
        _gpu("h200", 141e9, 4800e9, _H_FLOPS, "NVIDIA H200", **_HOPPER),
    )
}
"""Sources: Google Cloud's pages "TPU v5e", "TPU v5p" and "TPU v6e" (system architecture); NVIDIA's
data sheets of the A100 (80 GB, SXM), H100 (SXM) and H200 (SXM), dense figures."""

TPU_TOPOLOGIES = {
    "v5e": ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "v6e": ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "v5p": ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8"),
}
"""Smallest first."""
EXTRAS = {TPU: ("libtpu", "tpu"), GPU: ("jax_cuda12_plugin", "cuda")}
"""By platform: the package that compiles for it, and the extra that installs it."""


@dataclass(frozen=True)
class Target:
    """Some chips of one kind."""

    chip: Chip
    count: int

    @property
    def name(self) -> str:
        """As `--target` has it."""
        return f"{self.chip.name}:{self.count}"

    def devices(self) -> list[jax.Device]:
        """Devices to compile for; nothing runs on them.

        Raises:
            SweepError: the package that compiles for them is not installed.
        """
        return list(_devices(self.chip.name, self.count))


def parse(text: str) -> Target:
    """The target that `NAME` or `NAME:CHIPS` means.

    Raises:
        SweepError: the name is unknown, or there is no topology of so many chips.
    """
    name, _, count = text.partition(":")
    if name not in CHIPS:
        raise SweepError(f"--target: {name!r}: choose among {', '.join(CHIPS)}")
    if not re.fullmatch(r"[1-9]\d{0,3}", count or "1"):
        raise SweepError(f"--target: {text!r}: after the colon must be a number of chips, as in :4")
    target = Target(CHIPS[name], int(count or 1))
    _topology(target.chip, target.count)
    return target


def seconds(module: Module, chip: Chip, precision: str) -> float:
    """Roofline of an update: a forecast, that no program exceeds and few reach.

    The sum over kernels of the largest of FLOPs / peak, bytes / bandwidth and the launch.

    Args:
        module: the compiled update.
        chip: that it was compiled for.
        precision: of its products.
    """
    return sum(
        kernel.times * _kernel_seconds(module, kernel, chip, precision) for kernel in module.kernels
    )


def _kernel_seconds(module: Module, kernel: Kernel, chip: Chip, precision: str) -> float:
    flops = sum(product.flops for product in module.products(kernel))
    return max(
        flops / chip.flops[precision],
        module.bytes(kernel) / chip.bandwidth,
        chip.launch_seconds,
    )


def _topology(chip: Chip, count: int) -> str:
    if chip.platform == GPU:
        return f"1x{count}x1"
    for shape in TPU_TOPOLOGIES[chip.name]:
        total = math.prod(int(side) for side in shape.split("x"))
        if total >= count:
            return f"{chip.name}:{shape}"
    raise SweepError(f"--target: {chip.name} has at most {total} chips here, not {count}")


@functools.lru_cache(maxsize=8)
def _devices(name: str, count: int) -> tuple[jax.Device, ...]:
    chip = CHIPS[name]
    package, extra = EXTRAS[chip.platform]
    if util.find_spec(package) is None:
        raise SweepError(
            f"--target={name}: {package} compiles for it and is not installed: "
            f"pip install 'mnist_horizon[{extra}]', or make setup EXTRAS={extra}"
        )
    topology = _topology(chip, count)
    if chip.platform == TPU:
        os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # there is no metadata server to ask
        # Several processes may compile at once: none of them uses a chip.
        os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
        found = topologies.get_topology_desc(platform=TPU, topology_name=topology)
    else:
        _find_ptxas()
        found = topologies.get_topology_desc(
            name, platform=GPU, topology=topology, target_config=chip.description
        )
    return tuple(found.devices[:count])


def _find_ptxas() -> None:
    """Put the folder of NVIDIA's assembler, which comes in a wheel, on the path."""
    folder = Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cuda_nvcc" / "bin"
    path = os.environ.get("PATH", "")
    if folder.is_dir() and str(folder) not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([str(folder), path])
