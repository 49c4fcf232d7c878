"""A signal ends a command with code 3 from its first line on, or is noted while it trains."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mnist_horizon import cli, interruption

CHECKOUT = Path(__file__).resolve().parent.parent.parent
NAMES = {"SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"}


@pytest.mark.parametrize("kind", interruption.SIGNALS)
def test_a_signal_is_noted_within_the_block_and_handled_as_before_after_it(
    kind: signal.Signals,
) -> None:
    before = signal.getsignal(kind)
    with interruption.requested() as stop:
        assert not stop()
        signal.raise_signal(kind)
        assert stop()
    assert signal.getsignal(kind) == before


def test_these_are_the_signals() -> None:
    assert {kind.name for kind in interruption.SIGNALS} == NAMES


def test_a_signal_that_the_parent_ignores_or_others_handle_is_left_to_them() -> None:
    """`nohup` and a shell's `&` rely on it, and a program that trains as a part of its work."""
    received: list[int] = []
    for handler in (signal.SIG_IGN, lambda number, _: received.append(number)):
        before = signal.signal(signal.SIGHUP, handler)
        try:
            with interruption.requested() as stop:
                signal.raise_signal(signal.SIGHUP)
                assert not stop()
        finally:
            signal.signal(signal.SIGHUP, before)
    assert received == [signal.SIGHUP]


def test_in_another_thread_none_is_caught() -> None:
    asked: list[bool] = []

    def block() -> None:
        with interruption.requested() as stop:
            asked.append(stop())

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert asked == [False]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *(("launch.sweep", name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2")),
        ("launch.tune", "SIGINT"),
    ],
)
def test_a_signal_during_the_imports_is_one_line_and_code_3(
    module: str, name: str, tmp_path: Path
) -> None:
    """The first package that the command imports, absl, is one that sends the signal."""
    code = f"import os, signal, time\nos.kill(os.getpid(), signal.{name})\ntime.sleep(60)\n"
    (tmp_path / "absl.py").write_text(code)
    command = subprocess.run(
        [sys.executable, "-m", module],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert command.returncode == cli.INTERRUPTED, command.stderr
    assert command.stderr == f"interrupted by {name}: the same command continues\n"
