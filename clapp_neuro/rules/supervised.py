"""Supervised: a linear classifier on a module, cross-entropy (Appendix B.1).

    p = softmax(W_class z̄ + b),   z̄ mean over the patches of an image
    dendrite of z = W_classᵀ (onehot − p) / P

One classifier at the top end to end, or one on each module: greedy supervised.
"""

from __future__ import annotations

import torch.nn.functional as F

from clapp_neuro.encoders.shapes import Size
from clapp_neuro.rules.seen import Rule, Seen, Shape, Signal


def matrices(size: Size) -> dict[str, Shape]:
    """The classifier of a module."""
    return {"classifier": (size.classes, size.neurons), "classifier_bias": (size.classes,)}


def signal(seen: Seen) -> Signal:
    """Minus the gradient of the mean cross-entropy over the images."""
    assert seen.labels is not None, "labelled images were asked for in the registry"
    weight, bias = seen.weights["classifier"], seen.weights["classifier_bias"]
    mean = seen.z.mean(1)
    logits = mean @ weight.T + bias
    truth = F.one_hot(seen.labels, len(weight)).to(logits.dtype)
    error = (truth - F.softmax(logits, 1)) / len(mean)
    dendrite = (error @ weight / seen.z.shape[1])[:, None].expand_as(seen.z)
    wrong = (logits.argmax(1) != seen.labels).to(logits.dtype).mean()
    return Signal(
        loss=F.cross_entropy(logits, seen.labels),
        gate=wrong,
        dendrite=dendrite,
        changes={"classifier": error.T @ mean, "classifier_bias": error.sum(0)},
    )


RULE = Rule(matrices=matrices, signal=signal)
