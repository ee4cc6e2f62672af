"""Gradient-isolated modules: which layers learn together (paper, Tables 3 and 6)."""

from __future__ import annotations

from clapp_neuro.config.train import TrainConfig
from clapp_neuro.errors import InputError
from clapp_neuro.rules.registry import METHODS

MODULES_OF_SIX = {"4-upper": (3, 1, 1, 1), "4-lower": (1, 1, 1, 3)}
"""Layers in each of four modules of VGG-6."""


def modules(layers: int, train: TrainConfig) -> tuple[tuple[int, ...], ...]:
    """The layers (from 1) of each module, from the input up.

    Raises InputError for a division that so many layers do not allow.
    """
    wanted = train.modules
    if wanted is None:
        parts = [layers] if METHODS[train.method].end_to_end else [1] * layers
    elif wanted in MODULES_OF_SIX:
        if layers != 6:
            raise InputError(f"modules {wanted} divides six layers (Table 3), not {layers}")
        parts = list(MODULES_OF_SIX[wanted])
    elif layers % int(wanted):
        raise InputError(f"{layers} layers do not divide into {wanted} modules of equal size")
    else:
        parts = [layers // int(wanted)] * int(wanted)
    ends = [sum(parts[: number + 1]) for number in range(len(parts))]
    return tuple(
        tuple(range(end - size + 1, end + 1)) for size, end in zip(parts, ends, strict=True)
    )
