"""What every readout asks of its features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clapp_neuro.errors import InputError

Features = npt.NDArray[Any]


def check_features(
    train_x: Features, train_y: Features, test_x: Features, test_y: Features
) -> None:
    """Raise InputError for shapes that do not fit, NaN, or fewer than two classes."""
    for name, x, y in (("training", train_x, train_y), ("test", test_x, test_y)):
        if x.ndim != 2 or len(x) != len(y) or len(x) == 0:
            raise InputError(
                f"{name} features {x.shape} and labels {y.shape} must be (N, features) and (N,)"
            )
        if not np.isfinite(x).all():
            raise InputError(f"{name} features hold NaN or infinite values")
    if train_x.shape[1] != test_x.shape[1]:
        raise InputError(f"{train_x.shape[1]} training but {test_x.shape[1]} test features")
    if len(np.unique(train_y)) < 2:
        raise InputError("a readout needs images of at least two classes to train on")
