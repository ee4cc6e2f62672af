"""Direct feedback alignment (Nøkland 2016) of CLAPP's hinge loss, as in the lecture's table.

    e = −∂L/∂z of the top layer              the error, from Eq. 3 there
    dendrite of z^l = B^l e                  through a fixed random matrix, l below the top

Only the top layer has prediction weights.
"""

from __future__ import annotations

from dataclasses import replace

from clapp_neuro.encoders.shapes import Size
from clapp_neuro.rules import clapp, prediction
from clapp_neuro.rules.seen import Rule, Seen, Shape, Signal


def matrices(size: Size) -> dict[str, Shape]:
    """B^l of the lower layers; prediction and retrodiction at the top."""
    if size.level == size.levels:
        return prediction.matrices(size)
    return {"feedback": (size.neurons, size.top)}


def signal(seen: Seen) -> Signal:
    """`seen.context` is the top layer's activity and `seen.top` its matrices."""
    top = replace(seen, z=seen.context, weights=seen.top, level=seen.levels)
    found = clapp.signal(top)
    error = found.dendrite if found.source is None else found.dendrite + found.source
    if seen.level == seen.levels:
        return replace(found, dendrite=error, source=None)
    dendrite = error @ seen.weights["feedback"].T
    return Signal(loss=found.loss, gate=found.gate, dendrite=dendrite)


RULE = Rule(matrices=matrices, signal=signal, context="top", fixed=("feedback",))
