"""What a source graph is shown in tests."""

from __future__ import annotations

import numpy as np

from compiler.source import Graph


def samples(graph: Graph, steps: int = 20) -> np.ndarray:
    shape = (steps, 2, *graph.shapes[graph.inputs[0]])
    return (np.random.default_rng(0).random(shape) * 3).astype(np.float32)
