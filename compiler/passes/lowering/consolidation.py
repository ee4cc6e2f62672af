"""How what a synapse has learned reaches its 8-bit weight, as products of the learning engine.

    carry     dt = 2^e x0 x1 y − 2^6 u_k sgn(t)     dw = u_k sgn(t)
    transfer  dt = 2^e x0 x1 y − u_k t              dw = 2^-6 u_k t
    pair                                            dw = 2^e x0 x1 y of a low synapse
    direct                                          dw = 2^e x0 x1 y

The first two accumulate in the tag, in 1/64 of a weight unit, for `every` fixations. A carry then
moves one whole unit by the sign of the tag, and 64 w + t stays what it was. A transfer moves the
whole tag, rounded stochastically, and forgets what rounding lost: a minibatch of fixations.

A pair needs no tag. Beside the synapse that drives the neuron there is a low one, which learns and
counts a fraction of its unit; after `every` fixations the management processor carries whole units
from the low weight into the high one. The low one drives nothing: a sum in its unit would need
more bits than there are for what arrives in a time step, and a tag drives nothing either.

Directly, every update is rounded into the weight, which needs no tag; a useful step is then a small
fraction of the smallest product, so that the soma's rounding of y decides whether a whole row of
synapses learns at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clapp_neuro.errors import InputError, unknown
from compiler.ir import Connection, LearningRule, Network, Neuron
from compiler.passes.admit import plain
from compiler.program import FINEST, TAG_UNITS, Product, SumOfProducts

KINDS = ("carry", "transfer", "pair", "direct")
BY_RULE = ("carry", "transfer")  # whose consolidation the learning engine itself counts out
EVERY = 32  # fixations


@dataclass(frozen=True)
class Consolidation:
    """Which of these, and after how many fixations; a rule counts out a power of two.

    kind: None for the best that the target allows. every: None for 32, or as many as the longest
    learning epoch allows. fine: of a pair, the low synapse counts 2^-fine of the high one's unit;
    what learns kernels in turn counts no finer.
    Raises InputError for another number or kind.
    """

    kind: str | None = "carry"
    every: int | None = None
    fine: int = FINEST

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise unknown("consolidation", self.kind, KINDS)
        if self.every is None:
            return
        if self.kind == "direct":
            raise InputError("--consolidation direct rounds every update: leave the interval out")
        if self.every < 1:
            raise InputError(f"consolidated every {self.every} fixations: give at least 1")
        if self.kind in BY_RULE and self.every & (self.every - 1):
            raise InputError(
                f"consolidated every {self.every} fixations: give a power of two, since a learning "
                "engine counts 2^k time steps"
            )

    @property
    def units(self) -> int:
        """Of what a product adds, how many make a weight unit."""
        return {"direct": 1, "pair": 1 << self.fine}.get(self.kind or "", TAG_UNITS)

    @property
    def by_rule(self) -> bool:
        """Whether the learning engine counts the fixations from one to the next."""
        return self.kind in BY_RULE

    def rule(self, exponent: int, register: str, k: int) -> SumOfProducts:
        """What is learned is 2^exponent * x0 * x1 * register, consolidated every 2^k steps."""
        learned = Product(exponent, ("x0", "x1", register))
        if not self.by_rule:
            return SumOfProducts(dw=(learned,), dt=())
        bits, due = TAG_UNITS.bit_length() - 1, f"u{k}"
        if self.kind == "transfer":
            return SumOfProducts(
                dw=(Product(-bits, (due, "t")),), dt=(learned, Product(0, (due, "t"), sign=-1))
            )
        return SumOfProducts(
            dw=(Product(0, (due, "sgn(t)")),),
            dt=(learned, Product(bits, (due, "sgn(t)"), sign=-1)),
        )


def require_companions(network: Network, chosen: Consolidation) -> None:
    """InputError where what learns in this way would do so beside what no engine executes with it.

    Engines execute a transfer and direct updates as they do rules of spike times: with plain
    neurons of dense layers, each driven by the level below.
    """
    if chosen.kind not in ("transfer", "direct"):
        return
    if not any(isinstance(p.rule, LearningRule) for p in network.projections):
        return
    others = [
        f"population {p.name} is not one of those"
        for p in network.populations
        if p.shape is not None
        or p.sequence
        or (p.neuron is not None and not (isinstance(p.neuron, Neuron) and plain(p.neuron)))
    ]
    others += [
        f"projection {p.name} has a delay, or is one-to-one"
        for p in network.projections
        if p.delay or p.connection is Connection.ONE_TO_ONE
    ]
    if others:
        raise InputError(
            f"consolidation '{chosen.kind}' is for dense layers of plain neurons, each driven by "
            f"the level below: {others[0]}; use 'pair', or 'carry' on a machine with tags of "
            f"{TAG_UNITS.bit_length() + 1} bits"
        )


CARRY, DIRECT = Consolidation("carry"), Consolidation("direct")


def candidates(
    asked: Consolidation, weight_max: int, tag_max: int, *, counted: bool = True
) -> tuple[Consolidation, ...]:
    """What was asked for, or all that are legal, what keeps most of what is learned first.

    weight_max, tag_max: the largest weight and tag of the target. counted: whether its engine can
    count the time steps of a fixation. docs/results/on_chip.md has what each keeps.
    """
    fine = pair_bits(weight_max)
    if asked.kind is not None:
        return (replace(asked, fine=fine) if asked.kind == "pair" else asked,)
    if tag_max >= TAG_UNITS and counted:
        return (replace(asked, kind="carry"),)
    pair = (replace(asked, kind="pair", fine=fine),) if fine else ()
    return (*pair, DIRECT) if asked.every is None else (*pair, CARRY)[:1]


def pair_bits(weight_max: int) -> int:
    """A low synapse counts so many powers of two finer: half of its range is left to learn in."""
    return min(FINEST, max(0, (weight_max + 1).bit_length() - 2))
