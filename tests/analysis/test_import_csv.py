"""Curves and crossings of others become a working directory that the commands read."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.anchors import measured_laws
from analysis.coverage import horizon_targets
from analysis.data import crossings_to, families, read
from analysis.import_csv import import_files, number, pairs
from analysis.laws import fit_horizon_laws
from analysis.plan import measured_truth
from analysis.report import write_report
from mnist_horizon.errors import InputError
from mnist_horizon.sweeps import spec_from
from mnist_horizon.sweeps.workdir import check
from tests.analysis.foreign_tables import (
    CROSSING_RULES,
    KNEE,
    LOSS_RULES,
    RULES,
    THRESHOLDS,
    crossings,
    curves,
    losses,
    wandb_export,
)

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory of imported curves."""
    folder = tmp_path_factory.mktemp("curves")
    curves().to_csv(folder / "maze.csv", index=False)
    import_files([folder / "maze.csv"], folder / "run", RULES, THRESHOLDS)
    return folder / "run"


@pytest.fixture(scope="module")
def without_curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory of imported crossings."""
    folder = tmp_path_factory.mktemp("crossings")
    crossings().to_parquet(folder / "maze.parquet")
    import_files([folder / "maze.parquet"], folder / "run", CROSSING_RULES)
    return folder / "run"


def test_what_was_imported_is_recorded_with_its_thresholds(imported: Path) -> None:
    record = json.loads((imported / "sweep.json").read_text())
    assert record["thresholds"] == [0.0, 150.0]
    (checksum,) = record["imported"]["files"].values()
    assert len(checksum) == 64
    assert record["imported"]["map"]["return_mean"] == "episode return"
    assert record["imported"]["filled"]["flops_per_interaction"] == "6 x parameters"
    names = {path.relative_to(imported).as_posix() for path in imported.rglob("*.*")}
    assert names == {"sweep.json", "results/imported.parquet"}


def test_the_law_of_the_curves_is_found_at_the_thresholds_stored(imported: Path) -> None:
    measured = read([imported])
    assert set(measured.crossings["threshold"]) == set(THRESHOLDS)
    laws = fit_horizon_laws(measured.crossings, ("h-1",), profiles=False).entries
    assert [law.threshold for law in laws] == list(THRESHOLDS)
    for law in laws:
        knee = law.quantities["knee"]
        assert knee.value == pytest.approx(KNEE, rel=0.15)
    at_zero = measured.crossings[measured.crossings["threshold"] == 0]
    needed = at_zero[at_zero["horizon"] == 1]["interactions"]
    # -200 + 700 / (1 + (n / E)^1.2) = 0 at E = n 0.4^(1 / 1.2), n = 2e5 for h = 1
    assert needed.mean() == pytest.approx(2e5 * 0.4 ** (1 / 1.2), rel=0.1)


def test_rows_that_are_means_lie_earlier_than_values_at_a_point(tmp_path: Path) -> None:
    curves().to_csv(tmp_path / "maze.csv", index=False)
    averaged = replace(RULES, values={**RULES.values, "averaged": "yes"})
    places = []
    for name, rules in (("points", RULES), ("means", averaged)):
        import_files([tmp_path / "maze.csv"], tmp_path / name, rules, THRESHOLDS)
        places.append(crossings_to(tmp_path / name, 0.0)["interactions"])
    assert (places[1] < 0.95 * places[0]).all()


@pytest.mark.parametrize("kind", ["imported", "without_curves"])
def test_a_report_has_the_laws(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    workdir = request.getfixturevalue(kind)
    write_report([workdir], tmp_path)
    fits = json.loads((tmp_path / "fits.json").read_text())
    thresholds = {law["threshold"] for law in fits["horizon_law"]}
    assert thresholds == ({0.0, 150.0} if kind == "imported" else {10.0, 20.0})
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    assert "interactions_against_horizon" in drawn
    assert ("return_by_horizon" in drawn) == (kind == "imported")
    assert any("without curves" in note for note in fits["notes"]) == (kind != "imported")
    page = (tmp_path / "report.html").read_text()
    assert "SHA-256" in page
    assert "the same on maze" not in page, "it is not the paper's task"


@pytest.mark.parametrize(("kind", "threshold"), [("imported", 150.0), ("without_curves", 10.0)])
def test_plans_and_coverage_start_from_it(
    kind: str, threshold: float, request: pytest.FixtureRequest
) -> None:
    workdir = request.getfixturevalue(kind)
    truth = measured_truth(str(workdir), threshold)[0]
    assert truth.knee == pytest.approx(KNEE, rel=0.15)
    assert truth.floor < truth.threshold < truth.ceiling
    targets, _ = horizon_targets(read([workdir]))
    assert len(targets) == 2


def test_anchors_reads_its_fits(imported: Path, tmp_path: Path) -> None:
    """Three horizons and seeds determine no form of the law: it says so, with the need."""
    write_report([imported], tmp_path)
    with pytest.raises(InputError, match=r"knee at a return of 150 is not determined.*needed:"):
        measured_laws(tmp_path / "fits.json", 150.0)
    fits = json.loads((tmp_path / "fits.json").read_text())
    (law,) = [
        law for law in fits["horizon_law"] if law["threshold"] == 150 and law["regressor"] == "h-1"
    ]
    assert law["knee"] == pytest.approx(KNEE, rel=0.15)


def test_curves_and_crossings_are_read_together(imported: Path, tmp_path: Path) -> None:
    crossings().to_csv(tmp_path / "a.csv", index=False)
    other = replace(CROSSING_RULES, values={"parameters": "1000", "task": "tower"})
    import_files([tmp_path / "a.csv"], tmp_path / "other", other)
    measured = read([tmp_path / "other", imported])
    assert measured.frame["run_id"].nunique() == 18, "equal ids, other runs"
    assert measured.curves["run_id"].nunique() == 9
    assert set(measured.frame.loc[measured.frame["return_mean"].isna(), "task"]) == {"tower"}
    assert set(measured.crossings["threshold"]) == {0.0, 10.0, 20.0, 150.0}
    assert measured.crossings["censored"].dtype == bool


def test_the_crossings_of_a_run_whose_curve_is_known_follow_from_it(
    imported: Path, without_curves: Path
) -> None:
    measured = read([without_curves, imported])
    assert measured.frame["run_id"].nunique() == 9
    assert not measured.crossings.duplicated(["run_id", "threshold"]).any()
    assert any("9 runs left out: a curve" in note for note in measured.notes)


def test_settings_name_the_families(tmp_path: Path) -> None:
    for name in ("web", "books"):
        curves().assign(data=name).to_csv(tmp_path / f"{name}.csv", index=False)
    paths = [tmp_path / "web.csv", tmp_path / "books.csv"]
    rules = replace(RULES, settings=["data"])
    import_files(paths, tmp_path / "run", rules, THRESHOLDS)
    labels = {family.label for family in families(read([tmp_path / "run"]).frame)}
    assert labels == {"maze, dense, data web", "maze, dense, data books"}


def test_two_hundred_one_point_runs_are_reported_in_time(tmp_path: Path) -> None:
    """240 sizes with one loss each; before the bound the figures alone did not end in 45 s."""
    losses().to_csv(tmp_path / "losses.csv", index=False)
    import_files([tmp_path / "losses.csv"], tmp_path / "run", LOSS_RULES, (3.0, 2.5))
    assert read([tmp_path / "run"]).crossings["threshold"].unique().tolist() == [-3.0, -2.5]
    start = time.process_time()
    write_report([tmp_path / "run"], tmp_path / "report")
    assert time.process_time() - start < 45
    fits = json.loads((tmp_path / "report" / "fits.json").read_text())
    assert any("240 runs of one row each" in note for note in fits["notes"])
    drawn = {path.stem for path in (tmp_path / "report" / "figures").glob("*.svg")}
    assert not any(name.startswith("return") for name in drawn)


def test_fits_are_written_before_any_figure(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.figures.theme.save", stop)
    with pytest.raises(KeyboardInterrupt):
        write_report([imported], tmp_path)
    assert json.loads((tmp_path / "fits.json").read_text())["horizon_law"]


def test_thresholds_are_needed_where_returns_are_of_another_scale(tmp_path: Path) -> None:
    path = tmp_path / "maze.csv"
    curves().to_csv(path, index=False)
    with pytest.raises(InputError, match=r"--thresholds=1\d\d,2\d\d,\d+") as error:
        import_files([path], tmp_path / "run", RULES)
    losses().to_csv(path, index=False)
    with pytest.raises(InputError, match=r"85% of the way: --thresholds=2\.8\d*,2\.5\d*,2\.3?\d*"):
        import_files([path], tmp_path / "run", LOSS_RULES)
    assert "\n" not in str(error.value)
    assert [child.name for child in tmp_path.iterdir()] == ["maze.csv"]
    wandb_export(path)
    rules = replace(RULES, columns={}, values={**RULES.values, "horizon": "1"})
    import_files([path], tmp_path / "run", rules)
    assert json.loads((tmp_path / "run" / "sweep.json").read_text())["thresholds"] == [
        0.5,
        0.7,
        0.85,
    ]


def test_nothing_is_written_where_something_is(tmp_path: Path) -> None:
    path, workdir = tmp_path / "maze.csv", tmp_path / "run"
    curves().to_csv(path, index=False)
    workdir.mkdir()
    import_files([path], workdir, RULES, THRESHOLDS)
    before = {file: file.read_bytes() for file in workdir.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="not an empty folder"):
        import_files([path], workdir, RULES, THRESHOLDS)
    crossings().to_csv(path, index=False)
    with pytest.raises(InputError, match="has its own"):
        import_files([path], tmp_path / "other", CROSSING_RULES, THRESHOLDS)
    assert {file: file.read_bytes() for file in workdir.rglob("*") if file.is_file()} == before
    assert {child.name for child in tmp_path.iterdir()} == {"maze.csv", "run"}


def test_no_sweep_is_run_in_an_imported_directory(imported: Path) -> None:
    spec = spec_from(
        {
            "task": {"name": "digits"},
            "network": {"name": "mlp", "depth": 1},
            "widths": [8],
            "horizons": [1],
            "schedules": ["dense"],
            "seeds": 1,
            "budget": 10_000,
        }
    )
    with pytest.raises(InputError, match="holds imported results"):
        check(imported, spec)


@pytest.mark.parametrize("text", ["x", "nan", "inf", ""])
def test_a_flag_of_numbers_is_checked(text: str) -> None:
    assert number("thresholds", "-1e3") == -1000.0
    with pytest.raises(InputError, match=r"--thresholds: .* is not a finite number"):
        number("thresholds", text)


@pytest.mark.parametrize("texts", [["a"], ["=b"], ["a="], ["a=1", "a=2"]])
def test_a_flag_of_pairs_is_checked(texts: list[str]) -> None:
    with pytest.raises(InputError, match="--map"):
        pairs("map", texts)


def test_the_command_imports_or_says_in_one_line_why_not(tmp_path: Path) -> None:
    curves().to_csv(tmp_path / "maze.csv", index=False)
    command = [sys.executable, "-m", "analysis.import_csv", str(tmp_path / "maze.csv")]
    command += [f"--workdir={tmp_path / 'run'}", "--set=parameters=1000,task=maze"]
    columns = "--map=horizon=h,interactions=frames,return_mean=episode return"
    done = subprocess.run([*command, columns], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --thresholds: name the returns to reach")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
    flags = [columns, "--thresholds=0,150"]
    done = subprocess.run([*command, *flags], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "144 rows of 9 runs, to returns of 0, 150" in done.stdout
