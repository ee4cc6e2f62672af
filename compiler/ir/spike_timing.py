"""Rules that learn from the times of spikes, as data: part of the source network (`compiler.ir`).

Where the rules of `ir.LearningRule` see what a fixation amounted to, these see each time step of
a synapse: which of its two neurons spiked, and exponential traces of when they did before. A
synapse meets a presynaptic spike in the step in which it is sent, and delivers it one step later;
it learns of a postsynaptic spike in the step in which the neuron fires. A pair that meets in one
step counts with its whole trace. Traces run on through the rest between fixations.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spike:
    """1 where the neuron spiked in this step, else 0."""

    def __str__(self) -> str:
        return "spike"


@dataclass(frozen=True)
class SpikeTrace:
    """x <- exp(-1/tau) * x + [spiked in this step]; tau in time steps."""

    tau: float

    def __str__(self) -> str:
        return f"trace({self.tau:g})"


@dataclass(frozen=True)
class PairTerm:
    """At every time step: coefficient * pre * post, one of them a spike and one a trace."""

    coefficient: float
    pre: Spike | SpikeTrace
    post: Spike | SpikeTrace

    def __str__(self) -> str:
        return f"{self.coefficient:g}·post.{self.post}·pre.{self.pre}"


@dataclass(frozen=True)
class Eligibility:
    """The terms fill an eligibility e of the synapse, which a broadcast reward R makes a weight.

    When a fixation ends, W <- W + rate * R * e and then e <- retention * e. `reward` names the
    modulator that sends R, or the critic, whose largest gate is R = 1.
    """

    rate: float
    retention: float
    reward: str


@dataclass(frozen=True)
class SpikeTimingRule:
    """The weight (or the eligibility) of one synapse changes by the sum of the terms."""

    name: str
    terms: tuple[PairTerm, ...]
    eligibility: Eligibility | None = None

    def __str__(self) -> str:
        text = " + ".join(str(term) for term in self.terms)
        if self.eligibility is None:
            return f"{self.name}: ΔW = {text} each step"
        e = self.eligibility
        return f"{self.name}: Δe = {text} each step; ΔW = {e.rate:g}·{e.reward}·e each fixation"
