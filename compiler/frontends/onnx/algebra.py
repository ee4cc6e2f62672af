"""What element by element arithmetic makes of signals: sums of products, multiplied out.

    value = sum over k of  coefficient_k * product of the atoms of k

An atom is a signal (what a graph input or a node brings, by name) or a comparison (by number; 1
where its form is above 0, else 0, so its square is itself). However a file writes a membrane
equation (x * beta - r * theta, Where, 1 - r), its multiplied-out form is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from compiler.frontends.refusals import UnsupportedError
from compiler.source.nodes import Shape

Atom = str | int  # a signal by name, a comparison by number
Term = frozenset[Atom]  # the atoms that are multiplied; none: a constant

CONSTANT: Term = frozenset()
CLOSE = 1e-6  # relative: files hold float32
CANCELLED = 1e-12  # relative: what rounding leaves of a difference of equal numbers


@dataclass(frozen=True, eq=False)
class Form:
    """Terms and their coefficients, which broadcast to `shape`, that of one sample."""

    shape: Shape
    terms: Mapping[Term, np.ndarray]

    def __add__(self, other: Form) -> Form:
        terms = dict(self.terms)
        for term, coefficient in other.terms.items():
            terms[term] = _sum(terms[term], coefficient) if term in terms else coefficient
        return form(_common(self.shape, other.shape), terms)

    def __sub__(self, other: Form) -> Form:
        return self + other * -1.0

    def __mul__(self, other: Form | float | np.ndarray) -> Form:
        if not isinstance(other, Form):
            return form(self.shape, {t: c * other for t, c in self.terms.items()})
        terms: dict[Term, np.ndarray] = {}
        for one, a in self.terms.items():
            for two, b in other.terms.items():
                if any(isinstance(x, str) for x in one) and any(isinstance(x, str) for x in two):
                    raise UnsupportedError(
                        "it multiplies two signals", "multiply by a constant or a spike"
                    )
                product = one | two
                terms[product] = _sum(terms.get(product, np.zeros(())), a * b)
        return form(_common(self.shape, other.shape), terms)

    @property
    def atoms(self) -> frozenset[Atom]:
        """All atoms of all terms."""
        return frozenset().union(*self.terms)

    @property
    def signals(self) -> Form:
        """The form without its constant."""
        return Form(self.shape, {t: c for t, c in self.terms.items() if t})

    @property
    def constant(self) -> np.ndarray:
        """What is added without an atom."""
        return self.of(CONSTANT)

    def of(self, term: Term) -> np.ndarray:
        """The coefficient of a term, 0 where it is not there."""
        return self.terms.get(term, np.zeros(()))

    def without(self, *atoms: Atom) -> Form:
        """The form where these atoms are 0."""
        kept = {t: c for t, c in self.terms.items() if not t & set(atoms)}
        return Form(self.shape, kept)

    def multiplying(self, atom: Atom) -> Form:
        """What an atom is multiplied with."""
        found = {t - {atom}: c for t, c in self.terms.items() if atom in t}
        return Form(self.shape, found)

    def replaced(self, atom: Atom, value: Form) -> Form:
        """The form with a value in place of an atom."""
        if atom not in self.atoms:
            return self
        return self.without(atom) + self.multiplying(atom) * value

    def is_close(self, other: Form) -> bool:
        """Whether both say the same, up to rounding."""
        terms = self.terms.keys() | other.terms.keys()
        largest = max((float(np.abs(c).max(initial=0)) for c in self.terms.values()), default=0)
        return all(
            np.allclose(self.of(t), other.of(t), rtol=CLOSE, atol=CLOSE * min(largest, 1))
            for t in terms
        )


def form(shape: Shape, terms: Mapping[Term, np.ndarray]) -> Form:
    """A form without the terms that cancelled."""
    return Form(shape, {t: np.asarray(c, float) for t, c in terms.items() if np.any(c)})


def signal(name: Atom, shape: Shape) -> Form:
    """One atom as it is."""
    return Form(shape, {frozenset({name}): np.ones(())})


def number(value: np.ndarray | float, shape: Shape) -> Form:
    """A constant beside a value of `shape`: leading axes of 1, the batch's, are dropped.

    Raises UnsupportedError where it does not broadcast to each sample alike.
    """
    found = np.asarray(value, float)
    while found.ndim > len(shape) and found.shape[0] == 1:
        found = found[0]
    common = None
    if found.ndim <= len(shape):
        with suppress(ValueError):
            common = tuple(np.broadcast_shapes(shape, found.shape))
    if common is None:
        raise UnsupportedError(
            f"a constant has shape {np.shape(value)}, {shape} arrives",
            "give one value, or one for each element of a sample",
        )
    return form(common, {CONSTANT: found})


def complement(flag: Form) -> Form:
    """1 - a form of 0 and 1."""
    return number(1.0, flag.shape) - flag


def above(compared: Form, level: Form) -> np.ndarray | None:
    """The h with  compared = k (level - h)  for a k > 0: one is above 0 where the other is above h.

    None where there is no such k, the same for all signals of an element.
    """
    signals = level.signals.terms
    if compared.signals.terms.keys() != signals.keys():
        return None
    squares = sum((level.of(t) ** 2 for t in signals), np.zeros(()))
    if not np.all(squares > 0):
        return None
    k = sum((compared.of(t) * level.of(t) for t in signals), np.zeros(())) / squares
    if not np.all(k > 0) or not compared.signals.is_close(level.signals * k):
        return None
    return np.asarray(level.constant - compared.constant / k)


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    total = one + other
    return np.where(np.abs(total) > CANCELLED * (np.abs(one) + np.abs(other)), total, 0.0)


def _common(one: Shape, other: Shape) -> Shape:
    """The shape of two signals together; with another number of axes they meet at the batch's."""
    try:
        found = tuple(np.broadcast_shapes(one, other))
    except ValueError:
        found = ()
    if len(one) != len(other) or len(found) != len(one):
        raise UnsupportedError(f"shapes {[one, other]} arrive", "bring the same shape along all")
    return found
