"""Names from elsewhere become no paths, and nothing is written through a link."""

import errno
import os
import pickle
import threading
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
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


def test_two_writers_without_a_lock_leave_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, numbers = tmp_path / "fits.json", iter((1, 2))
    monkeypatch.setattr(os, "getpid", lambda: next(numbers))

    def write(file: BinaryIO) -> None:
        file.write(b"outer")
        files.write_text(path, "inner", is_locked=False)
        assert path.read_text() == "inner"

    files.write_atomically(path, write, is_locked=False)
    assert path.read_text() == "outer"
    assert list(tmp_path.iterdir()) == [path]


def usable(workdir: Path, is_written: bool = True) -> None:
    files.check_usable(workdir, ["a.json"], ["results", "locks", "checkpoints"], is_written)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.json/", "is a folder, and a file belongs there: move it away"),
        (".a.json.tmp/", "is a folder, and a file belongs there: move it away"),
        ("results/w4.parquet/", "is a folder, and a file belongs there: move it away"),
        ("results/.w4.parquet.tmp/", "is a folder, and a file belongs there: move it away"),
        ("locks/w4/", "is a folder, and a file belongs there: move it away"),
        ("checkpoints/w4", "is not a folder: move it away"),
        ("results", "is not a writable folder"),
    ],
)
def test_what_stands_in_the_place_of_another_kind_is_named(
    name: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "results" / "of mine").mkdir(parents=True)  # is in no one's way
    usable(tmp_path)
    if name == "results":
        (tmp_path / "results").rename(tmp_path / "elsewhere")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if name.endswith("/") else path.write_text("")
    with pytest.raises(InputError) as error:
        usable(tmp_path)
    assert str(error.value) == f"--workdir: {path} {message}"


def test_a_link_to_nowhere_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "w").symlink_to("nowhere")
    for workdir in (tmp_path / "w", tmp_path / "w" / "below"):
        with pytest.raises(InputError, match="w is a link to nowhere, which is not there: make"):
            usable(workdir)
    (tmp_path / "nowhere").mkdir()
    usable(tmp_path / "w")


def test_a_directory_that_is_only_read_need_not_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    usable(tmp_path, is_written=False)
    with pytest.raises(InputError, match="is not a writable folder"):
        usable(tmp_path)


def test_what_a_person_can_do_about_an_error_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError, match="Is a directory") as error:
        files.write_text(tmp_path / "a.json", "content")
    said = files.remedy(error.value, tmp_path)
    assert said == f"{tmp_path}/a.json: Is a directory: move it away"
    full = OSError(errno.ENOSPC, "No space left", "a.json")
    assert files.remedy(full, Path("w")) == "a.json: No space left: make room in w"
    assert files.remedy(OSError("no reason"), Path("w")) == "no reason: check w"


class Touch:
    """Pickled, it makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 40 + "1" + "}" * 40, "9" * 30, "9" * 5000, "{", "", "\ufeff1"]
)
def test_json_that_would_exhaust_a_reader_is_no_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    for read in (lambda: files.parse_json(text), lambda: files.read_json(tmp_path / "a.json")):
        with pytest.raises(ValueError):  # noqa: PT011 - no other error may come
            read()


def test_json_of_ours_is_read() -> None:
    assert files.parse_json('{"a": [1, 2.5, NaN]}')["a"][:2] == [1, 2.5]
    assert files.parse_json(str(2**63 - 1)) == 2**63 - 1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (files.read_json, files.read_arrays, files.check_regular):
        with pytest.raises(OSError, match="not a regular file"):
            read(tmp_path / "pipe")


def test_what_is_read_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "link").symlink_to("a.json")
    assert files.read_json(tmp_path / "link") == [1]


def test_arrays_are_read_and_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(6.0).reshape(2, 3), b=np.zeros((), np.uint8))
    found = files.read_arrays(path)
    np.testing.assert_array_equal(found["a"], np.arange(6.0).reshape(2, 3))
    assert sorted(found) == ["a", "b"]
    np.savez(path, a=np.array([Touch(tmp_path / "executed")]))
    with pytest.raises(ValueError, match="its size is not that of its shape"):
        files.read_arrays(path)
    data = pickle.dumps(Touch(tmp_path / "executed")).ljust(8 * 64, b".")  # as 64 addresses
    write_npy(path, HEADER.format("|O", 64), data)
    with pytest.raises(ValueError, match="allow_pickle"):
        files.read_arrays(path)
    assert not (tmp_path / "executed").exists()


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': ({},)}}"


def write_npy(path: Path, header: str, data: bytes, kind: int = zipfile.ZIP_STORED) -> None:
    text = (header + "\n").encode()
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("a.npy", content)


def test_arrays_that_are_larger_than_their_file_are_refused_at_once(tmp_path: Path) -> None:
    """20 MB of zeros in 20 kB, and a header that promises what does not follow."""
    header, data = HEADER.format("<f4", 5_000_000), bytes(20_000_000)
    write_npy(tmp_path / "zip", header, data, zipfile.ZIP_DEFLATED)
    assert (tmp_path / "zip").stat().st_size < 100_000
    write_npy(tmp_path / "promise", HEADER.format("<f4", 10**15), bytes(8))
    for name, says in (("zip", "compressed"), ("promise", "not that of its shape")):
        with pytest.raises(ValueError, match=says):
            files.read_arrays(tmp_path / name)


def test_half_characters_can_be_written(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "\ud800 \u00e9")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "\\ud800 \u00e9"
