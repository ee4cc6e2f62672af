"""How a network is compiled, drawn: for which machine, where updates go, how kernels learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from hypothesis import strategies as st
from narrow_target import loihi2_with

from compiler.ir import LearningRule, Network
from compiler.passes.lowering.consolidation import Consolidation, candidates
from compiler.passes.lowering.schedule_traces import traced
from compiler.passes.quantizing.quantize import MAXIMUM
from compiler.pipeline import BEST, Compiled, compile_network
from compiler.program import LARGEST_WEIGHT, TAG_UNITS
from compiler.targets import Target, load_target
from compiler.turns import in_turn
from fuzz.drawn import SEEDS, Draw

# What a machine file of a user's may say: fields of other widths, some too narrow to learn in.
Limits = tuple[tuple[str, int], ...]
ORDINARY: Limits = ()
TAGGED: tuple[Limits, ...] = (
    (("tag_bits", 8),),
    (("weight_bits", 6),),
    (("weight_bits", 5), ("tag_bits", 8)),
)
UNTAGGED: tuple[Limits, ...] = ((("tag_bits", 0),), (("weight_bits", 4), ("tag_bits", 5)))
OF_MAPS = st.sampled_from([*[ORDINARY] * len(TAGGED), *TAGGED])
OF_LAYERS = st.sampled_from([*[ORDINARY] * len(TAGGED), *TAGGED, *UNTAGGED])
EVERY = {
    "carry": st.sampled_from([None, 1, 2, 8]),
    "transfer": st.sampled_from([None, 1, 2, 8]),
    "pair": st.none() | st.integers(1, 4),
    "direct": st.none(),
}
SELDOM_BEST = ("transfer", "direct", "pair", "transfer", "direct", "carry")
PERCENTILES = st.sampled_from([MAXIMUM, MAXIMUM, MAXIMUM, 90.0])


@cache
def machine(limits: Limits) -> Target:
    """Loihi 2 with these limits."""
    return loihi2_with(**dict(limits))


@dataclass(frozen=True)
class Way:
    """What `compile_network` is asked for."""

    target: Target
    seed: int
    averaged: int = 0
    sequential: bool = False
    consolidation: Consolidation = BEST
    percentile: float = MAXIMUM

    def __repr__(self) -> str:
        chosen = f"averaged {self.averaged}, sequential {self.sequential}, {self.consolidation}"
        return f"{self.target.name}, seed {self.seed}, {chosen}, percentile {self.percentile:g}"

    def compile(self, network: Network) -> Compiled:
        """Of the network with rates that suit; raises InputError for what does not fit."""
        return compile_network(
            self.suited(network),
            self.target,
            self.seed,
            averaged=self.averaged,
            sequential=self.sequential,
            consolidation=self.consolidation,
            percentile=self.percentile,
        )

    def suited(self, network: Network) -> Network:
        """The same with rates that are as much larger as what it learns in is coarser."""
        limits = self.target.machine.limits
        weight, tag = ((1 << max(0, int(b.value) - 1)) - 1
                       for b in (limits.weight_bits, limits.tag_bits))  # fmt: skip
        units = candidates(self.consolidation, weight, tag)[0].units
        coarser = LARGEST_WEIGHT / min(weight, LARGEST_WEIGHT) * TAG_UNITS / units
        projections = []
        for p in network.projections:
            if isinstance(p.rule, LearningRule) and not traced(p):
                terms = (replace(t, coefficient=t.coefficient * coarser) for t in p.rule.terms)
                p = replace(p, rule=replace(p.rule, terms=tuple(terms)))
            projections.append(p)
        return replace(network, projections=tuple(projections))


@st.composite
def ways(draw: Draw, network: Network) -> Way:
    """One that suits the network's rules, on a machine that may be too narrow for them."""
    seed, percentile = draw(SEEDS), draw(PERCENTILES)
    if any(traced(p) for p in network.projections):
        binary = draw(st.sampled_from(["binary-spikes-sim", "loihi2-sim"]))
        return Way(load_target(binary), seed, percentile=percentile)
    if any(in_turn(p) for p in network.projections):  # such learn in tags that are carried
        sequential = draw(st.sampled_from([False, False, True]))
        averaged = draw(st.integers(int(sequential), 3))
        target = machine(draw(OF_MAPS))
        return Way(target, seed, averaged, sequential, percentile=percentile)
    mapped = any(p.shape is not None for p in network.populations)
    target, consolidation = machine(draw(OF_MAPS if mapped else OF_LAYERS)), BEST
    if any(isinstance(p.rule, LearningRule) for p in network.projections) and draw(st.booleans()):
        kind = draw(st.sampled_from(SELDOM_BEST))
        consolidation = Consolidation(kind, draw(EVERY[kind]))
    return Way(target, seed, consolidation=consolidation, percentile=percentile)
