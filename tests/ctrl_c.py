"""Ctrl-C as typed, for tests of what commands leave behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


def interrupted(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard error of a command that gets a Ctrl-C once it reports progress."""
    with subprocess.Popen(
        [sys.executable, "-m", "clapp_neuro.cli", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert running.stderr is not None
            assert running.stderr.readline().startswith(f"{words[0]}: ")  # it is learning
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        finally:
            running.kill()
    return running.returncode, err
