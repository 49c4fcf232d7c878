"""Activations of hidden layers, from the policies that a sweep kept along training.

They are computed here, from parameters on disk, for the network `mlp` alone; a test compares them
with the network's own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8

from mnist_horizon import results
from mnist_horizon.errors import InputError
from mnist_horizon.results import KeptPolicy, json_object

NETWORK = "mlp"
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "leaky_relu": lambda values: np.where(values >= 0, values, 0.1 * values),
    "relu": lambda values: np.maximum(values, 0),
    "tanh": np.tanh,
    "linear": lambda values: values,
}
"""As `network.activation` names them."""

_VARYING = {
    "task": "{}",
    "algorithm": "{}",
    "schedule": "{}",
    "schedule_level": "level {:g}",
    "depth": "depth {}",
    "width": "width {}",
    "horizon": "h = {:g}",
    "batch": "batch {}",
    "learning_rate": "rate {:.3g}",
    "entropy_coef": "bonus {:g}",
    "kl_coef": "penalty {:g}",
}
"""Columns that name a condition where they differ between conditions, and how."""


@dataclass(frozen=True)
class Layer:
    """A hidden layer's activations on the kept test examples.

    Attributes:
        before: what the activation function is applied to.
        after: its results.
    """

    before: Float[np.ndarray, "unit example"]
    after: Float[np.ndarray, "unit example"]


@dataclass(frozen=True)
class Condition:
    """Runs of a working directory that differ in their seed alone.

    Attributes:
        label: what distinguishes them from the other conditions, activation and optimiser always.
        activation: of the network.
        settings: the columns of `_VARYING`, activation and optimiser.
        returns: mean over the seeds of the return by interactions.
        policies: those kept, by interactions; a policy of each seed.
    """

    label: str
    activation: str
    settings: Mapping[str, object]
    returns: Mapping[int, float]
    policies: Mapping[int, Sequence[KeptPolicy]]


def hidden_layers(
    params: Mapping[str, Mapping[str, np.ndarray]],
    images: UInt8[np.ndarray, "example *shape"] | Float[np.ndarray, "example *shape"],
    activation: str,
) -> list[Layer]:
    """The hidden layers of the network `mlp`; a visible phase is held at the start of a window.

    Args:
        params: of the policy, as it was kept.
        images: observations, which the network sees divided by 255 if they are bytes.
        activation: one of `ACTIVATIONS`.
    """
    largest = np.float32(255 if images.dtype == np.uint8 else 1)
    hidden = images.reshape(len(images), -1).astype(np.float32) / largest
    found: list[Layer] = []
    for name in ("first", *(f"hidden{number}" for number in range(1, len(params)))):
        if name in params:
            before = hidden @ params[name]["kernel"] + params[name]["bias"]
            if name == "first" and "phase" in params:
                before = before + params["phase"]["kernel"][0]
            hidden = ACTIVATIONS[activation](before)
            found.append(Layer(before.T, hidden.T))
    return found


def read_conditions(workdirs: Sequence[Path]) -> tuple[list[Condition], list[str]]:
    """The conditions of some working directories whose sweeps kept policies, and notes.

    Raises:
        InputError: no policy of an MLP was kept in any of them.
        ResultsError: there are no results, or a file is damaged.
    """
    found: list[tuple[pd.DataFrame, list[KeptPolicy]]] = []
    notes: list[str] = []
    for workdir in dict.fromkeys(workdirs):
        frame = results.read_results(workdir).frame.assign(workdir=str(workdir))
        frame["activation"] = frame["settings"].map(_activation)
        policies = {
            run: list(kept)
            for run, kept in groupby(
                sorted(results.kept_policies(workdir), key=lambda one: one.run_id),
                key=lambda one: one.run_id,
            )
        }
        frame = frame[frame["run_id"].isin(list(policies))]
        others = ~frame["activation"].isin(list(ACTIVATIONS)) | ~_is_mlp(frame["network"])
        if others.any():
            named = ", ".join(sorted(set(frame["network"][others])))
            notes.append(f"{workdir}: left out, activations are known of {NETWORK!r}, not {named}")
        by = ["workdir", "activation", "optimizer", *_VARYING]
        for _, rows in frame[~others].groupby(by, sort=False):
            found.append((rows, [one for run in rows["run_id"].unique() for one in policies[run]]))
        if not policies:
            notes.append(f"{workdir}: no policies were kept along training")
    if not found:
        raise InputError(
            f"{'; '.join(notes)}: run a sweep of the network {NETWORK!r} with "
            "--config.policies_every=4, as launch/configs/privileged_basis.py"
        )
    names = _naming([rows.iloc[0] for rows, _ in found])
    conditions = [_condition(*one, names) for one in found]
    return sorted(conditions, key=_order), notes


def _activation(settings: str, default: str = "leaky_relu") -> str:
    network = (json_object(settings) or {}).get("network")
    return str(network.get("activation", default)) if isinstance(network, dict) else default


def _is_mlp(networks: pd.Series) -> pd.Series:
    return networks.str.split("-").str[0] == NETWORK


def _naming(conditions: Sequence[pd.Series]) -> list[str]:
    """The columns that tell conditions apart; not those that follow from the ones before."""
    chosen = ["activation", "optimizer"]
    for name in _VARYING:
        before, after = (
            {tuple(one[column] for column in columns) for one in conditions}
            for columns in (chosen, [*chosen, name])
        )
        chosen += [name] * (len(after) > len(before))
    return chosen[2:]


def _order(condition: Condition) -> tuple[str, int]:
    """By optimiser, activations in the order of `ACTIVATIONS`."""
    return str(condition.settings["optimizer"]), list(ACTIVATIONS).index(condition.activation)


def _condition(
    rows: pd.DataFrame, policies: Sequence[KeptPolicy], naming: Sequence[str]
) -> Condition:
    first = rows.iloc[0]
    names = ("activation", "optimizer", *_VARYING)
    parts = [first["activation"], first["optimizer"]]
    parts += [_VARYING[name].format(first[name]) for name in naming]
    by_mark = sorted(policies, key=lambda one: one.interactions)
    return Condition(
        label=", ".join(parts),
        activation=first["activation"],
        settings={name: first[name] for name in names},
        returns=rows.groupby("interactions")["return_mean"].mean().to_dict(),
        policies={
            mark: list(kept) for mark, kept in groupby(by_mark, key=lambda one: one.interactions)
        },
    )


def layers_of(condition: Condition) -> Iterator[tuple[int, list[list[Layer]]]]:
    """For each number of interactions the layers of each seed."""
    for mark, policies in condition.policies.items():
        yield (
            mark,
            [hidden_layers(one.params, one.images, condition.activation) for one in policies],
        )
