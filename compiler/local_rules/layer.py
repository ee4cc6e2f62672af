"""What a rule file is asked for, and what it answers: one layer at a time.

Each file of this folder has `learning(layer) -> Learning`;
`compiler/frontends/checkpoint/network.py` has one table of which method is lowered by which file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clapp_neuro.config import TrainConfig
from compiler.ir import Averages, Comparator, LearningRule


@dataclass(frozen=True)
class Layer:
    """A layer of a checkpoint.

    name: of its population. signal: the modulator that broadcasts y. train: its method's settings.
    tensors: what the checkpoint holds of the layer, by role, float64.
    """

    name: str
    signal: str
    train: TrainConfig
    tensors: Mapping[str, np.ndarray]

    @property
    def gate(self) -> str:
        """The name of the layer's comparator."""
        return f"{self.name}.gate"


@dataclass(frozen=True)
class Learning:
    """How it learns.

    rules: of each plastic matrix, by its role; `forward` are the weights of the forward pass,
    `prediction` and `retrodiction` end on the layer's own apical and retro compartments.
    comparators: what its gates need. averages: what its somata keep of their activity.
    """

    rules: Mapping[str, LearningRule]
    comparators: tuple[Comparator, ...] = ()
    averages: Averages | None = None
