"""Spiking neurons in a one-step ONNX graph, found by their equation, however it is written.

The next value of a state, multiplied out, is compared with what each reset of
`compiler.terms.Reset` makes of a leaky integrator:

    w = decay v + gain i + leak        i: what arrives, or the current that filters it
    c = [v > h], s = [w as reset > h]  comparisons of the old potential, of the new one

    none  v' = w            subtract  v' = w - h c          zero  v' = w - decay v c
    clear v' = w (1 - c)    subtract at once  v' = w - h s  zero at once  v' = w (1 - s) + r s
    subtract once  s = [w - h c > h], v' = w - h s
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from compiler.frontends.onnx.algebra import CONSTANT, Form, above, form, number, signal
from compiler.frontends.onnx.reading import Comparison
from compiler.terms import Reset

ACCEPTED = (
    "write its next value as decay * v + input, reset by a comparison of v or of that sum with a "
    "threshold: subtract it, or set to a value"
)


@dataclass(frozen=True, eq=False)
class Integrator:
    """A potential's recurrence: its linear part w, its threshold (None: none), how it is reset.

    spikes: the comparison that is its spike. strict: whether it spikes above the threshold, or at
    it as well.
    """

    linear: Form
    threshold: np.ndarray | None = None
    spikes: int | None = None
    strict: bool = True
    reset: Reset = Reset.NONE
    reset_value: np.ndarray | None = None
    rectified: bool = False


def integrator(
    v: str,
    following: Form,
    comparisons: list[Comparison],
    start: np.ndarray,
    rectified: Form | None = None,
) -> Integrator | None:
    """The recurrence of a state as a potential, or None where it is none.

    rectified: where the next value is max(w, 0) as a whole, w.
    """
    if rectified is not None:
        later = _later(v, rectified, comparisons)
        spikes = _reset_later(following, later, comparisons)
        return next((replace(f, rectified=True) for f in spikes), None)
    later = _later(v, following, comparisons)
    found = [*_reset_later(following, later, comparisons)]
    found += _reset_at_once(v, following, comparisons)
    found += _never_above(v, following, comparisons, start)
    if later is not None:
        linear, reset, threshold, strict = later
        found.append(Integrator(linear, threshold, None, strict, reset))
    return next((f for f in found if all(len(t) <= 1 for t in f.linear.terms)), None)


Later = tuple[Form, Reset, np.ndarray | None, bool]  # w, its reset, threshold, and whether strict


def _reset_later(
    following: Form, later: Later | None, comparisons: list[Comparison]
) -> Iterator[Integrator]:
    """Spikes where the next potential itself is above the threshold."""
    for number_, comparison in enumerate(comparisons):
        h = above(comparison.form, following)
        if h is None or later is None:
            continue
        linear, reset, threshold, strict = later
        if threshold is None or (_same(h, threshold) and strict == comparison.strict):
            yield Integrator(linear, h, number_, comparison.strict, reset)


def _later(v: str, u: Form, comparisons: list[Comparison]) -> Later | None:
    """The linear part and the reset of a sum that a comparison of the old potential changes."""
    crossed = _of_old(v, u, comparisons)
    if not crossed:
        return u, Reset.NONE, None, True
    if len(crossed) > 1:
        return None
    ((c, h),) = crossed.items()
    linear, changed = u.without(c), u.multiplying(c)
    decayed = signal(v, u.shape) * linear.of(frozenset({v}))
    for reset, taken in (
        (Reset.SUBTRACT, number(h, u.shape)),
        (Reset.ZERO, decayed),
        (Reset.CLEAR, linear),
    ):
        if (changed * -1.0).is_close(taken):
            return linear, reset, h, comparisons[c].strict
    return None


def _reset_at_once(v: str, following: Form, comparisons: list[Comparison]) -> Iterator[Integrator]:
    """Spikes where the potential before the reset is above the threshold."""
    for s in sorted(a for a in following.atoms if isinstance(a, int)):
        w, taken = following.without(s), following.multiplying(s)
        compared, strict = comparisons[s].form, comparisons[s].strict
        h = above(compared, w)
        if h is not None:
            if taken.is_close(number(-h, w.shape)):
                yield Integrator(w, h, s, strict, Reset.SUBTRACT_AT_ONCE)
            back = taken + w
            if not back.atoms:
                yield Integrator(w, h, s, strict, Reset.ZERO_AT_ONCE, back.constant)
        for c, threshold in _of_old(v, compared, comparisons).items():
            paid = form(w.shape, {**w.terms, frozenset({c}): -threshold})
            once = above(compared, paid)
            paid_once = taken.is_close(number(-threshold, w.shape))
            if once is not None and _same(once, threshold) and paid_once:
                yield Integrator(w, threshold, s, strict, Reset.SUBTRACT_ONCE)


def _never_above(
    v: str, following: Form, comparisons: list[Comparison], start: np.ndarray
) -> Iterator[Integrator]:
    """Set to a value at once, so that no old potential is ever above the threshold, however much
    the file makes of the case that one is (snnTorch, zero with reset_delay=False)."""
    for s in sorted(a for a in following.atoms if isinstance(a, int)):
        compared = comparisons[s].form
        old = _of_old(v, following, comparisons) | _of_old(v, compared, comparisons)
        if not old or s in old:
            continue
        kept, compared = following.without(*old), compared.without(*old)
        w, back = kept.without(s), kept.without(s) + kept.multiplying(s)
        h = above(compared, w)
        if h is None or back.atoms:
            continue
        if all(np.all(np.maximum(back.constant, start) <= h) and _same(h, k) for k in old.values()):
            strict = comparisons[s].strict
            yield Integrator(w, h, s, strict, Reset.ZERO_AT_ONCE, back.constant)


def _of_old(v: str, value: Form, comparisons: list[Comparison]) -> dict[int, np.ndarray]:
    """Comparisons in a form that are of the old potential alone, and their thresholds."""
    found = {}
    for a in value.atoms:
        if isinstance(a, int):
            h = above(comparisons[a].form, signal(v, value.shape))
            if h is not None:
                found[a] = h
    return found


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=1e-6, atol=1e-7))


@dataclass(frozen=True, eq=False)
class Filtered:
    """What drives a potential: gain * i, i' = decay i + current_gain * drive; without a current
    (decay None) gain * drive. leak: what is left of w's constant."""

    gain: np.ndarray
    drive: Form
    leak: np.ndarray
    decay: np.ndarray | None = None
    current_gain: np.ndarray | None = None


def unfiltered(w: Form, v: str) -> Filtered:
    """The drive of a potential without a synaptic current."""
    arriving = w.without(v).signals
    gain = _common(arriving)
    return Filtered(gain, _divided(arriving, gain), w.constant)


def filtered(w: Form, v: str, current: str, following: Form) -> Filtered | None:
    """The drive of a potential through a current, or None where it is no current.

    With i' = a i + e x and w = decay v + p i + q x the current that arrives is j = p i + q x, and
    follows j' = a j + q x  where  p e = a q.
    """
    own = frozenset({current})
    a, p = following.of(own), w.of(own)
    e, q = following.without(current), w.without(v, current).signals
    if not (e.signals * p).is_close(q * a):
        return None
    constant = np.zeros(())
    if e.constant.any():
        if not np.all(a):
            return None
        constant = p * e.constant / a
    whole, into = _common(q), np.ones(())
    if not _same(p, whole):  # i' counts what arrives now, as in w
        into = _common(e.signals)
    gain = whole / into
    drive = q + form(q.shape, {CONSTANT: constant})
    leak = w.constant - constant
    leak = np.where(np.abs(leak) > 1e-9 * np.abs(constant), leak, 0.0)
    return Filtered(gain, _divided(drive, whole), leak, a, into)


def _common(arriving: Form) -> np.ndarray:
    """The coefficient of all terms, where they have one in common and it is nowhere 0; else 1."""
    first = next(iter(arriving.terms.values()), np.ones(()))
    alike = all(c.shape == first.shape and (c == first).all() for c in arriving.terms.values())
    return first if alike and np.all(first) else np.ones(())


def _divided(arriving: Form, gain: np.ndarray) -> Form:
    terms = {
        t: np.ones(()) if t and np.array_equal(c, gain) else c / gain
        for t, c in arriving.terms.items()
    }
    return Form(arriving.shape, terms)
