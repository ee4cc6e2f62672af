"""From a checkpoint that was trained here to the source network."""

from compiler.frontends.checkpoint.network import (
    INPUT,
    LOWERED,
    RULES,
    SACCADE,
    network_from_checkpoint,
)

__all__ = ["INPUT", "LOWERED", "RULES", "SACCADE", "network_from_checkpoint"]
