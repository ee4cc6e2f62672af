"""How sure a mean over seeds is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from scipy.stats import t as student

CONFIDENCE = 0.95


def interval(values: Sequence[float]) -> float:
    """Half width of the mean's 95 % interval, by Student's t; 0 for a single value."""
    n = len(values)
    if n < 2:
        return 0.0
    quantile = float(student.ppf((1 + CONFIDENCE) / 2, n - 1))
    return quantile * statistics.stdev(values) / float(n) ** 0.5


def with_interval(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± half width; the value alone where there is one."""
    text = f"{statistics.mean(values):.{digits}f}"
    return text if len(values) < 2 else f"{text} ± {interval(values):.{digits}f}"
