"""An experiment as validated data: what is seen, by which network, learned how. No PyTorch here."""

from clapp_neuro.config.data import CLASSES, IMAGE_SIDES, DataConfig
from clapp_neuro.config.encoder import EncoderConfig
from clapp_neuro.config.experiment import (
    Experiment,
    load_preset,
    preset_names,
    read_experiment,
    with_settings,
    with_training,
)
from clapp_neuro.config.train import TrainConfig

__all__ = [
    "CLASSES",
    "IMAGE_SIDES",
    "DataConfig",
    "EncoderConfig",
    "Experiment",
    "TrainConfig",
    "load_preset",
    "preset_names",
    "read_experiment",
    "with_settings",
    "with_training",
]
