"""Every row of `docs/trust.md` has tests, and they exist."""

import ast
import functools
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

FILES = "mnist_horizon/test_files.py::"
RESULTS = "mnist_horizon/test_results.py::"
WORKDIR = "mnist_horizon/sweeps/test_workdir.py::"
HELD_BY = {
    "a config file": ["test_trust.py::test_a_config_is_executed"],
    "your command line and environment": ["test_trust.py::test_a_config_is_executed"],
    "the folder of compiled programs": [
        "mnist_horizon/devices/test_compilation.py::test_a_folder_that_is_not_private_is_not_used"
    ],
    "the processes of one job": ["test_trust.py::test_nothing_is_unpickled_but_between_processes"],
    "links": [
        f"{WORKDIR}test_a_directory_with_a_link_is_refused_and_nothing_written",
        f"{WORKDIR}test_links_within_its_folders_are_refused",
        f"{FILES}test_what_is_read_may_be_a_link",
        "launch/test_cli.py::test_what_a_link_leads_to_is_not_removed",
    ],
    "ids": [
        f"{FILES}test_other_names_are_refused_in_one_line",
        "launch/test_cli.py::test_an_id_that_is_a_path_truncates_no_file",
    ],
    "`sweep.json`": [
        f"{FILES}test_json_that_would_exhaust_a_reader_is_no_json",
        f"{WORKDIR}test_a_spec_whose_axes_are_no_lists_of_values_is_refused",
        "analysis/page/test_facts.py::test_records_and_settings_of_others_are_shown_as_text",
    ],
    "`programs/*.json`, `placing.json`": [
        f"{WORKDIR}test_a_record_with_names_that_are_paths_is_refused_and_nothing_written",
        f"{WORKDIR}test_programs_that_are_being_placed_under_paths_are_refused",
        f"{RESULTS}test_updates_of_a_record_are_numbers",
    ],
    "`results/`, `noise/`, `frontier/`, `crossings/`": [
        f"{RESULTS}test_texts_of_others_can_be_printed_parsed_and_drawn",
        f"{RESULTS}test_a_small_file_that_would_fill_the_memory_is_left_out",
        f"{RESULTS}test_a_small_file_of_very_many_rows_is_left_out",
        f"{RESULTS}test_a_table_is_data_and_never_executed",
        f"{RESULTS}test_texts_that_are_no_utf8_and_pipes_are_left_out",
    ],
    "`policies/`": [
        f"{RESULTS}test_a_policy_holds_arrays_alone",
        f"{RESULTS}test_no_policy_can_hold_objects_of_python",
        "mnist_horizon/sweeps/test_initial.py::test_a_policy_of_other_types_is_refused",
        "mnist_horizon/sweeps/test_initial.py::test_another_policy_cannot_take_its_place",
    ],
    "`kept/`": [
        f"{RESULTS}test_kept_policies_round_trip_and_their_errors",
        f"{FILES}test_arrays_are_read_and_never_unpickled",
        f"{FILES}test_arrays_that_are_larger_than_their_file_are_refused_at_once",
    ],
    "`checkpoints/`": [
        "mnist_horizon/sweeps/test_checkpoints.py"
        "::test_a_checkpoint_with_pickled_objects_or_compressed_is_damaged",
        "mnist_horizon/sweeps/test_runner.py"
        "::test_a_checkpoint_with_the_rows_of_another_program_is_not_used",
        "mnist_horizon/sweeps/test_runner.py::test_a_journal_of_another_program_is_refused",
    ],
    "`tensorboard/`, `wandb/`": [
        "mnist_horizon/sweeps/test_live.py::test_a_log_that_fails_stops_no_training"
    ],
    "`progress.jsonl`, `locks/`": [
        f"{FILES}test_lines_and_locks_go_through_no_link_and_into_plain_files_only"
    ],
    "`cells/`, `tuning.json`, `rule.json` of a search": [
        "mnist_horizon/tuning/test_workdir.py::test_a_table_of_others_is_one_line",
        "mnist_horizon/tuning/test_workdir.py::test_settings_of_others_are_one_line",
        "launch/test_tune.py::test_a_rule_sets_no_other_field_than_a_search_finds",
    ],
    "`slurm/`": [
        "launch/test_slurm.py::test_a_task_without_plain_programs_runs_nothing",
        "launch/test_slurm.py::test_tasks_that_are_no_names_are_refused",
        "launch/test_slurm.py::test_submissions_that_are_no_names_or_links_are_refused",
        "launch/test_slurm.py::test_every_state_is_counted_with_its_reasons",
    ],
    "pipes and devices in place of files": [f"{FILES}test_a_pipe_is_not_waited_for"],
    "a folder of IDX files": [
        "mnist_horizon/tasks/test_idx.py::test_a_damaged_file_is_refused_with_its_name",
        "mnist_horizon/tasks/test_idx.py::test_what_a_small_file_expands_to_never_fills_the_memory",
        "mnist_horizon/tasks/test_folders.py::test_what_is_there_instead_is_named",
    ],
    "data prepared by TFDS": [
        "mnist_horizon/tasks/test_tfds_source.py::test_prepared_data_name_no_module_to_import"
    ],
    "files of others for `analysis.import_csv`": [
        "analysis/data/test_foreign.py::test_a_small_file_that_is_huge_when_unpacked_is_refused",
        "analysis/data/test_foreign.py"
        "::test_a_parquet_file_that_would_fill_the_memory_and_a_pipe_are_refused",
    ],
    "`fits.json` for `analysis.anchors`": [
        "analysis/test_anchors.py::test_a_file_of_others_is_one_line"
    ],
    "`gallery.json` and the reports that it names": [
        "analysis/test_gallery.py::test_no_path_becomes_an_address_of_another_kind",
        "analysis/test_gallery.py::test_a_figure_is_one_of_the_report",
        "analysis/test_gallery.py::test_a_list_of_others_is_one_line",
    ],
    "variables of a cluster (`SLURM_*`)": [
        "mnist_horizon/devices/test_hosts.py"
        "::test_a_count_of_slurm_that_is_none_is_refused_in_one_line"
    ],
    "`report.html`, the explorer, the calculator, the gallery": [
        "analysis/page/test_page.py::test_everything_that_is_given_is_escaped",
        "analysis/page/test_explorer.py::test_no_text_of_the_data_can_end_its_script",
        "analysis/test_report.py::test_the_page_holds_everything_and_loads_nothing",
        "analysis/test_report.py"
        "::test_what_comes_from_a_working_directory_is_escaped_quoted_and_never_obeyed",
    ],
    "`figures/*.csv`": [
        "analysis/data/test_csv_text.py::test_a_formula_becomes_text_and_is_read_back",
        "analysis/data/test_csv_text.py::test_numbers_stay_numbers_of_their_type",
        "analysis/data/test_csv_text.py::test_the_import_reads_what_is_written",
    ],
    "figures": [
        "analysis/figures/test_theme.py::test_names_with_dollar_signs_are_drawn_as_they_are",
        "analysis/data/test_families.py::test_every_label_is_a_file_name_of_its_own",
    ],
    "files of a report": [
        "analysis/figures/test_theme.py::test_a_figure_replaces_links_and_never_what_they_lead_to",
        "analysis/test_report.py::test_no_report_is_written_through_a_link",
    ],
    "lines on a terminal": [
        "mnist_horizon/test_cli.py::test_no_control_character_of_an_input_reaches_the_terminal"
    ],
}
"""The first cell of each row of the page, and the tests that hold what it says."""


def rows() -> list[list[str]]:
    """The cells of every table of the page, without the heads."""
    lines = (CHECKOUT / "docs" / "trust.md").read_text(encoding="utf-8").splitlines()
    table = [line.strip("|").split(" | ") for line in lines if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in table]
    return [row for row in cells if row[0] != "what" and set(row[0]) - set("-|")]


@functools.cache
def functions_of(path: Path) -> set[str]:
    """Names of the functions of a file."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_row_of_the_page_is_held_by_tests() -> None:
    assert [row[0] for row in rows()] == list(HELD_BY)
    assert all(len(row) == 2 and row[1] for row in rows())


@pytest.mark.parametrize("row", HELD_BY)
def test_the_tests_of_a_row_are_there(row: str) -> None:
    assert HELD_BY[row]
    for test in HELD_BY[row]:
        file, _, name = test.partition("::")
        assert name in functions_of(CHECKOUT / "tests" / file), test


def test_a_config_is_executed(tmp_path: Path) -> None:
    """The page says so; here it is a fact that does not change unnoticed."""
    from absl import flags
    from ml_collections import config_flags

    marker = tmp_path / "executed"
    file = tmp_path / "config.py"
    file.write_text(
        f"import ml_collections\nopen({str(marker)!r}, 'w').close()\n"
        "def get_config():\n    return ml_collections.ConfigDict({'seeds': 2})\n"
    )
    values = flags.FlagValues()
    holder = config_flags.DEFINE_config_file("config", flag_values=values)
    values(["command", f"--config={file}"])
    assert holder.value.to_dict() == {"seeds": 2}
    assert marker.exists()


PICKLES = {
    "mnist_horizon/devices/hosts.py": "between the processes of one job",
    "analysis/stats/processes.py": "between a process and those that it forked",
}
"""Modules that may unpickle, and what."""

MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "submitit"}
"""What unpickles."""

CALLS = {"eval", "exec", "compile", "system", "popen", "load_module", "unsafe_load"}

ALLOWS = {"allow_pickle", "shell"}
"""Arguments that must not be True."""


def executes(node: ast.AST) -> bool:
    """Whether a part of a program may execute what it is given as data."""
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in MODULES
    if isinstance(node, ast.keyword):
        is_true = isinstance(node.value, ast.Constant) and node.value.value is True
        return node.arg in ALLOWS and is_true
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Attribute):  # `re.compile` and that of JAX are others
            return called.attr in CALLS - {"compile"}
        return isinstance(called, ast.Name) and called.id in CALLS
    return False


@pytest.mark.parametrize(
    "text",
    [
        *("import pickle", "from pickle import loads", "np.load(f, allow_pickle=True)"),
        *("eval(x)", "os.system(x)", "run(x, shell=True)", "yaml.unsafe_load(x)"),
    ],
)
def test_what_may_execute_data_is_seen(text: str) -> None:
    assert any(map(executes, ast.walk(ast.parse(text))))


def test_nothing_is_unpickled_but_between_processes() -> None:
    """No other module has a way to execute what it reads."""
    folders = ("mnist_horizon", "analysis", "launch")
    paths = [path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")]
    assert len(paths) > 100
    words = re.compile("|".join((*MODULES, *CALLS, *ALLOWS)))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    found = [
        path.relative_to(CHECKOUT).as_posix()
        for path, text in texts.items()
        if words.search(text) and any(map(executes, ast.walk(ast.parse(text))))
    ]
    assert sorted(found) == sorted(PICKLES)
