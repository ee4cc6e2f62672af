"""One row of the table of worked examples, and what a run has changed in real numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compiler.ir import Network
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.untie import faster
from compiler.program import Program
from compiler.terms import Connection
from compiler.trace import Stimulus
from compiler.worked_examples.held import held

DRAWS = (8, 64)  # at least and at most so many seeds ...
SYNAPSES = 1 << 22  # ... and in all about so many synapses


@dataclass(frozen=True)
class Example:
    """One projection. Changes of weights are in the source network's own units.

    synapse: (target, source), of a kernel (target, source, row, column), of the largest expected
    change. label: what the broadcast says at the second fixation, None where there is none.
    executed: mean over `draws` seeds, `error` its standard error. matrix: executed over expected
    change of the whole matrix, each synapse in the direction in which it should change; None where
    nothing should. clipped: post values of its target that were clipped, in all draws, or where
    spike times are learned its tags and weights: what is executed is then too small.
    """

    projection: str
    label: int | None
    synapse: tuple[int, ...]
    expected: float
    executed: float
    error: float
    matrix: float | None
    draws: int
    clipped: int

    def row(self) -> tuple[str, ...]:
        """Cells of a table: projection, synapse, expected, executed, whole matrix."""
        place = ", ".join(str(i) for i in self.synapse)
        if self.matrix is None:
            return (self.projection, "–", "0", f"{self.executed:.3g}", "gate closed or silent")
        executed = f"{self.executed:.4g} ± {self.error:.1g}"
        matrix = f"{self.matrix - 1:+.1%}" + (", values clipped" if self.clipped else "")
        return (self.projection, f"[{place}]", f"{self.expected:.4g}", executed, matrix)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def size(program: Program) -> int:
    """All synapses."""
    return sum(s.weights.size for s in program.synapses)


def draws(program: Program) -> int:
    """Over how many seeds of rounding an example is a mean."""
    return int(np.clip(SYNAPSES // size(program), *DRAWS))


def two_fixations(program: Program, pair: int, signals: dict[str, np.ndarray]) -> Stimulus:
    """Fixed numbers, others for each `pair`, and what the broadcasts say."""
    random = np.random.default_rng(pair)
    seen = {
        p.name: random.integers(0, 256, (2, p.size)).astype(np.uint8)
        for p in program.populations
        if p.soma is None
    }
    return Stimulus(seen, signals)


def change(network: Network, before: Program, after: Program, name: str) -> np.ndarray:
    """What one run has changed in a projection, in real numbers of the source network.

    What is in the tag counts, unless it is an eligibility. Of copies the sum, over how much faster
    each learns.
    """
    tags, s = not _rewarded(network, name), before.synapses[before.synapse_row[name]]
    (first, unit), (last, _) = (held(program, name, tags=tags) for program in (before, after))
    real = (last - first) * (unit / network.population(s.source).scale)
    if s.connection is not Connection.UNTIED:
        return real
    return np.asarray(real.sum(0) / faster(len(real), s.averaged))


def _rewarded(network: Network, name: str) -> bool:
    rule = next(p.rule for p in network.projections if p.name == name)
    return isinstance(rule, SpikeTimingRule) and rule.eligibility is not None


def largest(expected: np.ndarray) -> tuple[np.intp, ...]:
    """Where the largest change is expected."""
    return np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
