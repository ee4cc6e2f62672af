"""Accuracy of the readout against the layer that is read (paper, Fig. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import look


def depth_curves(accuracy: Mapping[str, Sequence[Sequence[float]]], title: str) -> Figure:
    """One line a method: mean over the seeds, with bars of ± one standard deviation.

    accuracy: for each method (seeds, layers) in percent, layers from 1. The deviation is the
    sample's (n − 1); one seed has no bars. Raises InputError where there is no method, or values
    that are no table of percentages.
    """
    if not accuracy:
        raise InputError("accuracy against depth needs at least one method")
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    deepest = 1
    for number, (method, seeds) in enumerate(accuracy.items()):
        values = _table(method, seeds)
        layers = np.arange(1, values.shape[1] + 1)
        spread = values.std(0, ddof=1) if len(values) > 1 else None
        axes.errorbar(
            layers, values.mean(0), spread, label=method, capsize=2, linewidth=1.2, **look(number)
        )
        deepest = max(deepest, len(layers))
    axes.set_title(title)
    axes.set_xlabel("layer")
    axes.set_ylabel("test accuracy (%)")
    axes.set_xticks(range(1, deepest + 1))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _table(method: str, seeds: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    try:
        values = np.array(seeds, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{method}: every seed must have a number for the same layers") from error
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"{method}: accuracies {values.shape} must be (seeds, layers)")
    if not ((values >= 0) & (values <= 100)).all():  # NaN is in no range
        raise InputError(f"{method}: accuracies must be percentages from 0 to 100")
    return values
