"""The cache of machine code belongs to the sources it was made from."""

from __future__ import annotations

from pathlib import Path

import numba
import pytest

from compiler.backends.simulator.compiled import CACHE, CONSTANTS, compiled, source_key
from compiler.backends.simulator.interpreter import run_learning


def test_every_change_of_a_source_changes_the_key(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    inner = tmp_path / "kernels" / "inner.py"
    inner.write_text("x = 1\n")
    (tmp_path / "outer.py").write_text("y = 1\n")
    before = source_key(tmp_path)
    assert source_key(tmp_path) == before
    inner.write_text("x = 2\n")
    changed = source_key(tmp_path)
    inner.rename(tmp_path / "kernels" / "other.py")
    assert len({before, changed, source_key(tmp_path)}) == 3


def test_so_does_a_change_of_a_constant_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    constants = tmp_path / "constants.py"
    constants.write_text("LARGEST = 127\n")
    before = source_key(tmp_path / "own", [constants])
    constants.write_text("LARGEST = 63\n")
    assert source_key(tmp_path / "own", [constants]) != before
    assert all(path.is_file() for path in CONSTANTS)


def test_machine_code_lies_where_the_key_says() -> None:
    assert str(run_learning.stats.cache_path).startswith(CACHE)


def test_the_users_choice_of_a_cache_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def increment(x):  # type: ignore[no-untyped-def]
        return x + 1

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    own = compiled(increment)
    assert own(1) == 2
    assert list(tmp_path.rglob("*.nbi"))
    assert str(tmp_path) == numba.config.CACHE_DIR
