"""Checkpoints give back what was saved, bit for bit, or the one before."""

import errno
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from mnist_horizon.sweeps.checkpoints import Checkpoints

STATE = {"a": np.array([[1.0, np.nan], [np.inf, -0.0]], np.float32), "b": [np.int32(7)]}
LIKE = jax.eval_shape(lambda: jax.tree.map(jax.numpy.asarray, STATE))


def bits(state: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


def test_what_is_saved_is_restored_bit_for_bit(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "one") as checkpoints:
        assert checkpoints.restore(LIKE) is None
        checkpoints.save(3, STATE, {"rows": [{"x": 0.1}], "update": 3})
    with Checkpoints(tmp_path, "one") as checkpoints:
        state, host = checkpoints.restore(LIKE) or (None, None)
    assert bits(state) == bits(STATE)
    assert jax.tree.structure(state) == jax.tree.structure(STATE)
    assert host == {"rows": [{"x": 0.1}], "update": 3}


def test_two_are_kept_and_all_removed_in_the_end(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "one") as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, STATE, {"update": step})
        assert {path.name for path in (tmp_path / "checkpoints" / "one").glob("[0-9]*")} == {
            "2",
            "3",
        }
        checkpoints.remove()
    assert not (tmp_path / "checkpoints" / "one").exists()


def test_every_damage_to_every_file_is_noticed_or_harmless(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever file is cut short, what is restored is one of the two that were saved."""
    newer = jax.tree.map(lambda leaf: leaf + 1, STATE)
    number = 0
    while True:
        folder = tmp_path / "checkpoints" / str(number)
        with Checkpoints(tmp_path, str(number)) as checkpoints:
            checkpoints.save(1, STATE, {"update": 1})
            checkpoints.save(2, newer, {"update": 2})
        files = sorted(path for path in (folder / "2").rglob("*") if path.is_file())
        if number == len(files):
            break
        content = files[number].read_bytes()
        files[number].write_bytes(content[: len(content) // 2])
        with Checkpoints(tmp_path, str(number)) as checkpoints:
            found = checkpoints.restore(LIKE)
            assert found is not None, files[number]
            expected = {1: STATE, 2: newer}[found[1]["update"]]
            assert bits(found[0]) == bits(expected), files[number]
            checkpoints.save(4, newer, {"update": 4})
        number += 1
    assert "is damaged, the one before is used" in caplog.text


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale file handle"), MemoryError()])
def test_a_checkpoint_that_cannot_be_read_for_now_is_kept(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Checkpoints(tmp_path, "one") as checkpoints:
        checkpoints.save(1, STATE, {"update": 1})

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch, Checkpoints(tmp_path, "one") as checkpoints:
        patch.setattr(np, "load", fail)
        with pytest.raises(type(error)):
            checkpoints.restore(LIKE)
    with Checkpoints(tmp_path, "one") as checkpoints:
        state, host = checkpoints.restore(LIKE) or (None, {})
    assert host == {"update": 1}
    assert bits(state) == bits(STATE)


def test_what_a_killed_process_left_half_written_is_no_checkpoint(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, "one") as checkpoints:
        checkpoints.save(1, STATE, {"update": 1})
    half = tmp_path / "checkpoints" / "one" / "2.orbax-checkpoint-tmp-1"
    half.mkdir()
    (half / "part").write_text("x")
    with Checkpoints(tmp_path, "one") as checkpoints:
        state, host = checkpoints.restore(LIKE) or (None, {})
        assert host == {"update": 1}
        assert bits(state) == bits(STATE)
        checkpoints.save(2, STATE, {"update": 2})
    assert not half.exists()


def test_a_checkpoint_with_pickled_objects_or_compressed_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, save in enumerate((np.savez_compressed, np.savez)):
        with Checkpoints(tmp_path, str(number)) as checkpoints:
            checkpoints.save(1, STATE, {"update": 1})
            checkpoints.save(2, STATE, {"update": 2})
        (path,) = (tmp_path / "checkpoints" / str(number) / "2").rglob("arrays.npz")
        path.unlink()
        save(path, a=np.zeros(10_000) if number == 0 else np.array([{"a": 1}]))
        with Checkpoints(tmp_path, str(number)) as checkpoints:
            _, host = checkpoints.restore(LIKE) or (None, {})
        assert host == {"update": 1}
    assert "is damaged, the one before is used: it is compressed" in caplog.text
