"""Local rules that learn once a fixation, and the signals that gate them, in real numbers."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.terms import Quantity


@dataclass(frozen=True)
class Term:
    """One product of a learning rule: coefficient * gate * prod(post) * pre.

    `gate` names a comparator or a modulator. `rectified` says what of its value counts: "" the
    value, "half" where it is positive (half-wave), "full" its magnitude (full-wave).

    With `rewarded` the post quantities are what a neuron expects of a critic that points at it:
    coefficient * (R - prod(post)) * pre, with R = 1 where the gate is positive, 0 where it is
    negative; nothing where it is 0.
    """

    coefficient: float
    pre: Quantity
    post: tuple[Quantity, ...]
    gate: str | None = None
    rectified: str = ""
    rewarded: bool = False

    def __str__(self) -> str:
        if self.rewarded:
            expected = "·".join(q.value for q in self.post)
            return f"{self.coefficient:g}·({self.gate} - {expected})·pre.{self.pre.value}"
        value = {"": "{}·", "half": "max(0, {})·", "full": "|{}|·"}[self.rectified]
        gate = value.format(self.gate) if self.gate else ""
        post = "·".join(q.value for q in self.post)
        return f"{self.coefficient:g}·{gate}{post}·pre.{self.pre.value}"


@dataclass(frozen=True)
class PreTraces:
    """Exponential traces by which synapses know their presynaptic neuron, in place of counts.

    Each spike raises both, and each time step of the whole fixation, its rest included, leaves
    exp(-1/tau) of them; tau in time steps, fast < slow. With X^ = X / (what a spike in every step
    of one presentation leaves), both as the presentation ends, and a period of P steps,

        count = X^_fast,   previous count = (X^_slow - X^_fast) / (exp(-P/slow) - exp(-P/fast))
    """

    fast: float
    slow: float


@dataclass(frozen=True)
class LearningRule:
    """A local rule: the weight change of one synapse is the sum of its terms.

    With `traces` the presynaptic counts of its terms are what those say of them.
    """

    name: str
    terms: tuple[Term, ...]
    traces: PreTraces | None = None

    def __str__(self) -> str:
        return f"{self.name}: ΔW = " + " + ".join(str(term) for term in self.terms)


@dataclass(frozen=True)
class Modulator:
    """A signal from outside the network, one value a fixation: -1, 0, +1, for a critic a class.

    Rules may name it where it is a sign that is known as the fixation begins.
    """

    name: str


@dataclass(frozen=True)
class Comparator:
    """The layer's gate (paper Appendix C): one interneuron that sums coincidences.

    u = sum_j prod(score)_j over the population;  gate = y where y * u < margin, else 0, with y
    the value of `modulator`. The gate is what the terms of a rule name.

    `left` is the margin where y = -1 (None: the same). With `norm`, the interneuron also sums the
    squares of that quantity, and both u and the gate are divided by its Euclidean norm over the
    population; the gate is closed where that is zero.

    With `classes` C it is a critic, which rewards the population for naming the right class: its
    neurons take turns in standing for the classes, neuron j for class j mod C; the sum of each
    class is formed, and the gate is C-1 where the first of the largest is that of class y, -1 where
    it is not, and 0 where y < 0: nothing on average for who guesses. There is no margin then.

    A critic that `points` tells only the neurons of the class that was named: their gate is +1
    where it is class y, -1 where it is not; that of all others is 0. With `noise` every neuron adds
    to its score a random number, uniform between -noise and +noise, so that each class is tried.
    """

    name: str
    population: str
    modulator: str
    margin: float
    score: tuple[Quantity, ...] = (Quantity.COUNT, Quantity.APICAL)
    left: float | None = None
    norm: Quantity | None = None
    classes: int = 0
    points: bool = False
    noise: float = 0.0

    @property
    def largest(self) -> int:
        """The largest magnitude of a critic's gate."""
        return 1 if self.points else max(1, self.classes - 1)

    @property
    def margins(self) -> tuple[float, float]:
        """The margins for y = +1 and y = -1."""
        return self.margin, self.margin if self.left is None else self.left

    @property
    def sums(self) -> int:
        """How many sums it forms; each takes one time step after the presentation."""
        return 1 if self.norm is None else 2
