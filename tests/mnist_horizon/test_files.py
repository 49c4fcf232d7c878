"""Names from elsewhere become no paths, and nothing is written through a link."""

import errno
import os
import threading
from pathlib import Path

import pytest

from mnist_horizon import files
from mnist_horizon.errors import InputError


@pytest.mark.parametrize("name", ["a", "w8-4runs-0a1b", "x_1.5+y@z", "a" * files.LONGEST_NAME])
def test_plain_names_are_given_back(name: str) -> None:
    assert files.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "a/b", "/etc/passwd", "a\\b", "a\0b", "a b", "a\n", "\u00e9"),
        *("a" * (files.LONGEST_NAME + 1), None, 5, ["a"]),
    ],
)
def test_other_names_are_refused_in_one_line(name: object) -> None:
    with pytest.raises(InputError, match="not a plain name") as error:
        files.check_name(name)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 250


def test_a_path_inside_may_go_through_the_directory_named_and_no_other_link(
    tmp_path: Path,
) -> None:
    (tmp_path / "real" / "results").mkdir(parents=True)
    (tmp_path / "named").symlink_to("real")
    path = files.inside(tmp_path / "named", "results/a.parquet")
    assert path == tmp_path / "named" / "results" / "a.parquet"
    (tmp_path / "real" / "locks").symlink_to(tmp_path)
    (tmp_path / "real" / "gone").symlink_to("nowhere")
    for parts in (("locks",), ("locks", "a"), ("locks/a",), ("gone",)):
        with pytest.raises(InputError, match="is a link"):
            files.inside(tmp_path / "named", *parts)


@pytest.mark.parametrize("parts", [("..",), ("a", "../b"), ("/etc",), ("a", "/etc"), ("a\0b",)])
def test_a_path_that_leads_out_is_refused(parts: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leads out of"):
        files.inside(tmp_path, *parts)


def test_links_are_found_at_any_depth(tmp_path: Path) -> None:
    deep = tmp_path / "checkpoints" / "a" / "1"
    deep.mkdir(parents=True)
    (deep / "arrays.npz").write_text("")
    files.check_no_links(tmp_path, ["checkpoints", "absent"])
    (deep / "host.json").symlink_to("arrays.npz")
    with pytest.raises(InputError, match=r"host\.json is a link"):
        files.check_no_links(tmp_path, ["checkpoints"])


def test_a_planted_temporary_file_is_replaced_and_its_target_left(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    planted = tmp_path / "w" / ".a.json.tmp"
    planted.parent.mkdir()
    for plant in (planted.symlink_to, planted.hardlink_to):
        plant(victim)
        files.write_text(tmp_path / "w" / "a.json", "content")
        assert victim.read_text() == "precious"
        assert not os.path.lexists(planted)
        assert (tmp_path / "w" / "a.json").read_text() == "content"


def test_a_link_under_the_name_itself_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "a.json").symlink_to("victim")
    files.write_text(tmp_path / "a.json", "content")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "a.json").is_symlink()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "old")

    def fail(file: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(tmp_path / "a", fail)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


def test_lines_and_locks_go_through_no_link_and_into_plain_files_only(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "link").symlink_to(victim)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(OSError, match=f"{name}"):
            files.append_line(tmp_path / name, "line")
        with pytest.raises(OSError, match=f"{name}"), files.lock(tmp_path / name):
            pass
    assert victim.read_text() == "precious"


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with pytest.raises(OSError, match="no locks") as raised, files.lock(tmp_path / "a"):
        pass
    assert raised.value.filename == str(tmp_path / "a")
    assert "choose another --workdir" in raised.value.strerror


def test_a_lock_leaves_the_content_and_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a"
    with files.lock(path) as first:
        path.write_text("content")
        with files.lock(path) as second:
            assert (first, second) == (True, False)
        waited: list[bool] = []

        def wait() -> None:
            with files.lock(path, wait=True) as got:
                waited.append(got)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.1)
        assert waited == []
    thread.join()
    assert waited == [True]
    assert path.read_text() == "content"


def test_a_line_cut_short_is_taken_off_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    files.append_line(path, "one")
    with path.open("a") as file:
        file.write("cut sho")
    files.append_line(path, "two")
    assert path.read_text() == "one\ntwo\n"


def test_a_folder_is_removed_but_not_what_a_link_leads_to(tmp_path: Path) -> None:
    victim = tmp_path / "elsewhere" / "a"
    victim.mkdir(parents=True)
    (victim / "file").write_text("precious")
    workdir = tmp_path / "w"
    (workdir / "own" / "a").mkdir(parents=True)
    (workdir / "own" / "a" / "link").symlink_to(victim)
    (workdir / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        files.remove_folder(workdir, "checkpoints", "a")
    files.remove_folder(workdir, "own", "a")
    assert (victim / "file").read_text() == "precious"
    assert not (workdir / "own" / "a").exists()
