"""Products in lower precision leave the laws' numbers where they are."""

import pytest

from analysis.data.crossings import interactions_to_threshold
from analysis.laws.horizon import fit_horizon_laws
from mnist_horizon.results import read_results
from tests.launch import commands

SWEEP = (
    "--config=launch/configs/quickstart.py",
    "--config.widths=(16,)",
    "--config.horizons=(1.0,7.0,31.0,63.0)",
    "--config.budget=102400",
)


@pytest.fixture(scope="module")
def laws(tmp_path_factory):
    """The horizon law to a return of 0.7 by precision."""
    found = {}
    for precision in ("f32", "tf32", "bf16"):
        folder = tmp_path_factory.mktemp(precision)
        workdir = folder / "workdir"
        done = commands.run(
            folder, *SWEEP, f"--workdir={workdir}", f"--config.precision={precision}"
        )
        assert done.process.exitcode == 0, done.err
        table = interactions_to_threshold(read_results(workdir).frame, (0.7,))
        (found[precision], *_) = fit_horizon_laws(table, ("h-1",)).entries
    return found


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("name", ["a", "b", "knee"])
def test_a_lower_precision_stays_within_the_intervals(laws, precision, name):
    low, high = laws["f32"].quantities[name].interval
    assert low <= laws[precision].quantities[name].value <= high
    assert high / low < 3  # an interval that holds everything would test nothing


@pytest.mark.slow
def test_bf16_is_no_f32(laws):
    assert laws["bf16"].quantities["a"] != laws["f32"].quantities["a"]
