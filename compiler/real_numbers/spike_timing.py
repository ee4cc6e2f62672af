"""What rules of spike times say in real numbers, for a given raster: the measure of a lowering.

Nothing of the lowering is used: traces, pairs and rewards are those of `compiler.ir.spike_timing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from compiler.ir import Network, Projection, Quantity
from compiler.ir.spike_timing import Spike, SpikeTimingRule, SpikeTrace
from compiler.real_numbers.rule import gate


@dataclass
class RealSpikeTiming:
    """A network that has spiked for some fixations of `period` steps; `weights` change by rule.

    Eligibilities and traces are kept from one fixation to the next.
    """

    network: Network
    period: int
    weights: dict[str, np.ndarray] = field(init=False)
    eligibility: dict[str, np.ndarray] = field(init=False)
    traces: dict[tuple[str, int, str], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.weights = {p.name: p.weights.copy() for p in self._plastic()}
        self.eligibility = {p.name: np.zeros(p.weights.shape) for p in self._plastic()}

    def fixation(self, raster: Mapping[str, np.ndarray], signals: Mapping[str, float]) -> None:
        """One more: spikes (steps, N) of each population at its own time, and the modulators."""
        rewards = dict(signals)
        for c in self.network.comparators:
            counts = raster[c.population].sum(0) / len(raster[c.population])
            said = gate(c, {Quantity.COUNT: counts}, signals[c.modulator])
            rewards[c.name] = said / c.largest
        for p in self._plastic():
            rule = p.rule
            assert isinstance(rule, SpikeTimingRule)
            moved = self._pairs(p, rule, raster)
            if rule.eligibility is None:
                self.weights[p.name] += moved
                continue
            tag = self.eligibility[p.name] + moved
            self.weights[p.name] += rule.eligibility.rate * rewards[rule.eligibility.reward] * tag
            self.eligibility[p.name] = rule.eligibility.retention * tag

    def _plastic(self) -> list[Projection]:
        return [p for p in self.network.projections if p.rule is not None]

    def _pairs(
        self, p: Projection, rule: SpikeTimingRule, raster: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """The sum of all terms over the steps of a fixation, in the source's time."""
        source, target = self.network.population(p.source), self.network.population(p.target)
        pre = self._whole(raster[p.source], 0)
        post = self._whole(raster[p.target], target.level - source.level)
        total = np.zeros(p.weights.shape)
        for number, term in enumerate(rule.terms):
            x = self._followed((p.name, number, "pre"), term.pre, pre)
            y = self._followed((p.name, number, "post"), term.post, post)
            total += term.coefficient * (y.T @ x)
        return total

    def _whole(self, spikes: np.ndarray, late: int) -> np.ndarray:
        """Spikes of a presentation that begins so `late` in a whole period, float64 (period, N)."""
        whole = np.zeros((self.period, spikes.shape[1]))
        whole[late : late + len(spikes)] = spikes
        return whole

    def _followed(
        self, side: tuple[str, int, str], what: Spike | SpikeTrace, spikes: np.ndarray
    ) -> np.ndarray:
        """What a term sees of one side at each step, (period, N); the trace goes on from before."""
        if isinstance(what, Spike):
            return spikes
        value = self.traces.get(side, np.zeros(spikes.shape[1]))
        decay, seen = math.exp(-1 / what.tau), np.empty_like(spikes)
        for step, spiked in enumerate(spikes):
            value = seen[step] = decay * value + spiked
        self.traces[side] = value
        return seen
