"""Where runs are computed: groups over devices, processes over hosts, memory of a program."""

from mnist_horizon.devices.compilation import keep_compiled
from mnist_horizon.devices.layout import (
    GROUP,
    REPLICATED,
    Layout,
    ProgramFunctions,
    check_devices,
    choose_layout,
    layout_here,
    usable_cores,
    use_cpu_cores,
)

__all__ = [
    "GROUP",
    "REPLICATED",
    "Layout",
    "ProgramFunctions",
    "check_devices",
    "choose_layout",
    "keep_compiled",
    "layout_here",
    "usable_cores",
    "use_cpu_cores",
]
