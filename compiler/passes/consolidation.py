"""How what a synapse has learned reaches its 8-bit weight, as products of the learning engine.

    carry     dt = 2^e x0 x1 y − 2^6 u_k sgn(t)     dw = u_k sgn(t)
    transfer  dt = 2^e x0 x1 y − u_k t              dw = 2^-6 u_k t
    direct                                          dw = 2^e x0 x1 y

The first two accumulate in the tag, in 1/64 of a weight unit, for `every` fixations. A carry then
moves one whole unit by the sign of the tag, and 64 w + t stays what it was. A transfer moves the
whole tag, rounded stochastically, and forgets what rounding lost: a minibatch of fixations.
Directly, every update is rounded into the weight, which needs no tag; a useful step is then a small
fraction of the smallest product, so that the soma's rounding of y decides whether a whole row of
synapses learns at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from clapp_neuro.errors import InputError, unknown
from compiler.program import TAG_UNITS, Product, SumOfProducts

KINDS = ("carry", "transfer", "direct")
EVERY = 32  # fixations


@dataclass(frozen=True)
class Consolidation:
    """Which of the three, and after how many fixations, a power of two.

    every: None for 32, or as many as the longest learning epoch allows. Raises InputError for
    another number or kind.
    """

    kind: str = "carry"
    every: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("consolidation", self.kind, KINDS)
        if self.every is not None and (self.every < 1 or self.every & (self.every - 1)):
            raise InputError(
                f"consolidated every {self.every} fixations: give a power of two, since a learning "
                "engine counts 2^k time steps"
            )

    @property
    def units(self) -> int:
        """Of what a product adds, how many make a weight unit."""
        return 1 if self.kind == "direct" else TAG_UNITS

    def rule(self, exponent: int, register: str, k: int) -> SumOfProducts:
        """What is learned is 2^exponent * x0 * x1 * register, consolidated every 2^k steps."""
        learned = Product(exponent, ("x0", "x1", register))
        if self.kind == "direct":
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


CARRY, DIRECT = Consolidation("carry"), Consolidation("direct")


def best(tag_max: int) -> Consolidation:
    """What keeps most of what is learned where tags go up to so much: docs/results/on_chip.md."""
    return CARRY if tag_max >= TAG_UNITS else DIRECT
