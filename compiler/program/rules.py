"""What the learning engine applies to a synapse: sums of products of traces, tag and weight."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """sign * mantissa * 2^exponent * factors: one product of a Loihi learning rule.

    `compiler.products` says which factors there are, and what the engine does with them.
    """

    exponent: int
    factors: tuple[str, ...]
    sign: int = 1
    mantissa: int = 1

    def __str__(self) -> str:
        scale = f"2^{self.exponent}" if self.mantissa == 1 else f"{self.mantissa}*2^{self.exponent}"
        text = "*".join((scale, *self.factors))
        return text if self.sign > 0 else f"- {text}"


@dataclass(frozen=True)
class Trace:
    """An exponential trace of a synapse: x1, x2 of presynaptic spikes, y1 to y3 of postsynaptic.

    At every time step  x <- (x * decay + random) >> 12,  random uniform in [0, 2^12), and then,
    where the neuron spiked,  x <- min(x + ((impulse + random) >> 8), 127),  random in [0, 2^8).
    """

    name: str
    decay: int
    impulse: int


@dataclass(frozen=True)
class SumOfProducts:
    """What the learning engine applies to each synapse at every step: dw and dt.

    A rule that learns once a fixation accumulates in the tag t (one unit = 2^-6 of a weight unit)
    where the presynaptic neuron sent something (x0), and whole weight units are carried from t to
    w every 2^k steps (u_k), or by the management processor, which is no part of the rule. Its pre
    and post values are zero outside the learning slots. A rule that learns from spike times has
    exponential `traces` instead, and learns at any step.
    """

    dw: tuple[Product, ...]
    dt: tuple[Product, ...]
    traces: tuple[Trace, ...] = ()

    @property
    def register(self) -> str:
        """The post register that the accumulating product reads."""
        return next(f for p in (*self.dt, *self.dw) for f in p.factors if f.startswith("y"))

    @property
    def exponent(self) -> int:
        """The exponent of the accumulating product."""
        return next(p.exponent for p in (*self.dt, *self.dw) if "x1" in p.factors)

    @property
    def carry_exponent(self) -> int:
        """k: whole units are carried every 2^k time steps."""
        return next(int(f[1:]) for p in self.dw for f in p.factors if f.startswith("u"))

    @staticmethod
    def text(products: tuple[Product, ...]) -> str:
        """The rule as Lava reads it, for example `2^-5*x0*x1*y1 - 2^6*u9*sgn(t)`."""
        return " + ".join(str(p) for p in products).replace("+ - ", "- ")
