"""Training: the loop, its two modes, interruption and resumption."""

from clapp_neuro.training.run import TrainResult, train

__all__ = ["TrainResult", "train"]
