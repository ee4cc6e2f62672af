"""Strategies for readouts that learn from one bit of reward, on top of layers that learn or not."""

from __future__ import annotations

from hypothesis import strategies as st

from compiler.frontends.checkpoint.readout import with_readout
from compiler.ir import Network
from compiler.program import REGISTERS
from fuzz.drawn import Draw

CLASSES = st.integers(2, 4) | st.sampled_from([1, 2, 16, 17])


@st.composite
def read_out(draw: Draw, sources: st.SearchStrategy[Network]) -> Network:
    """The dense layers of a source, and a neuron a class that hears all of them."""
    heard = sources.filter(lambda n: sum(p.level > 0 for p in n.populations) <= len(REGISTERS))
    return with_readout(draw(heard), draw(CLASSES), 2.0 ** -draw(st.integers(8, 14)))
