"""Engines agree on random networks.

`FUZZ=3000 python -m pytest -m fuzz -s tests/test_fuzz.py`, or `make fuzz`, draws more of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from fuzz.hunt import hunt
from fuzz.learning_maps import learning_maps
from fuzz.networks import dense
from fuzz.recurrent import recurrent
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from strided_network import strided

from compiler.ir import Network

ROOT = Path(__file__).parents[1]
DRAWS = {"tensor": 300, "lava": 8}
NODE = re.compile(r"\b(input|layer|readout)")
REMEDY = re.compile(r"\b(use|lower|make|give|leave|show|carry)\b")
LAVA_SHARE = 20  # one draw on Lava, which starts a dozen processes, for so many on tensors


@pytest.mark.parametrize("against", DRAWS)
def test_engines_agree(against: str) -> None:
    """Every step, whole runs, every count; what is refused is named, and what would be right."""
    hunter = hunt(against, DRAWS[against], most=6 if against == "tensor" else 3)
    assert hunter.drawn >= DRAWS[against] // 2, hunter  # there are not always so many small ones
    for reason in hunter.refused:
        assert NODE.search(reason) and REMEDY.search(reason), reason


FEW = st.integers(1, 4)  # neurons of a layer, or channels of a map


@pytest.mark.parametrize("sources", [dense(FEW), learning_maps(FEW)], ids=["dense", "maps"])
def test_plain_integers_agree(sources: st.SearchStrategy[Network]) -> None:
    """Docstrings, executed time step by time step: few neurons, since nothing of it is fast."""
    hunter = hunt("plain", 40, most=3, sources=sources)
    assert hunter.learned >= 10, hunter
    assert hunter.refused.total() < hunter.drawn / 2


RECURRENT = {"tensor": 100, "lava": 4}


@pytest.mark.parametrize("against", RECURRENT)
def test_engines_agree_on_recurrent_networks(against: str) -> None:
    """Any neurons, delays, sequences and kernels as well, which compute and do not learn."""
    hunter = hunt(against, RECURRENT[against], most=2, sources=recurrent() | strided())
    assert hunter.drawn >= RECURRENT[against] // 2, hunter
    assert hunter.refused.total() < hunter.drawn / 4


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("sources", [None, recurrent()], ids=["any", "recurrent"])
@pytest.mark.parametrize("against", DRAWS)
def test_engines_agree_on_thousands(
    against: str, sources: st.SearchStrategy[Network] | None
) -> None:
    """FUZZ says how many; what failed before is tried first."""
    asked = int(os.environ.get("FUZZ", "3000"))
    database = DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "fuzz")
    draws = asked if against == "tensor" else max(1, asked // LAVA_SHARE)
    print()
    most = 6 if against == "tensor" else 3
    print(hunt(against, draws, database=database, loud=True, most=most, sources=sources))
