"""Policy and value networks, by name and width, and what they cost.

A network is one class in one file of this folder, with one registration::

    @register("linear")
    class Linear(Network):
        @nn.compact
        def __call__(self, inputs, phase=None):
            return dense(self.spec.precision, self.outputs, FIRST, gain=OUTPUT_GAIN)(inputs)

Every file here is imported below, so that a new one needs no other edit: parameters, FLOPs and
memory are counted from the module itself (`counting`). Users may define their own networks in a
config file or any module that is imported before the name is used.
"""

import importlib
import pkgutil

from mnist_horizon.networks.counting import (
    DenseLayer,
    backward_flops,
    check_noise_is_measurable,
    count_parameters,
    dense_layers,
    forward_flops,
    parameter_shapes,
)
from mnist_horizon.networks.layers import (
    ACTIVATIONS,
    FIRST,
    LAST,
    LEAKY_RELU,
    OUTPUT_GAIN,
    PHASE,
    PRECISIONS,
    Activation,
    activation,
    dense,
    dot_general,
    layer_product,
    patches,
)
from mnist_horizon.networks.network import (
    Network,
    NetworkError,
    NetworkSpec,
    apply,
    build,
    check_activation,
    check_observations,
    first_inputs,
    get,
    init,
    name_of,
    names,
    register,
    scaled,
)
from mnist_horizon.networks.rates import REFERENCE_WIDTH, RULES, learning_rate_factors

__all__ = [
    "ACTIVATIONS",
    "FIRST",
    "LAST",
    "LEAKY_RELU",
    "OUTPUT_GAIN",
    "PHASE",
    "PRECISIONS",
    "REFERENCE_WIDTH",
    "RULES",
    "Activation",
    "DenseLayer",
    "Network",
    "NetworkError",
    "NetworkSpec",
    "activation",
    "apply",
    "backward_flops",
    "build",
    "check_activation",
    "check_noise_is_measurable",
    "check_observations",
    "count_parameters",
    "dense",
    "dense_layers",
    "dot_general",
    "first_inputs",
    "forward_flops",
    "get",
    "init",
    "layer_product",
    "learning_rate_factors",
    "name_of",
    "names",
    "parameter_shapes",
    "patches",
    "register",
    "scaled",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
