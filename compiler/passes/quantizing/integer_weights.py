"""Integer weights of a projection, as quantising leaves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class IntegerWeights:
    """Weights in units of `unit`; what rounding dropped waits in the tags where there are any."""

    weights: np.ndarray
    tags: np.ndarray | None
    unit: float
