"""Small networks, and points in clusters, that figures are drawn of."""

from functools import lru_cache
from types import SimpleNamespace

import numpy as np

from clapp_neuro.config import read_experiment
from clapp_neuro.data import fashion
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.reproduce.figures.patches import preferred_patches

ENCODERS = {
    "dense-spiking": {"layers": [40, 30]},
    "conv": {"architecture": "conv", "layers": [6, 5, 7], "pool": [1, 3], "neurons": "rate"},
}
IMAGES = 60


@lru_cache
def network(encoder):
    settings = {
        "data": {"crop": 24, "patch": 8, "stride": 4, "order": "columns"},
        "encoder": ENCODERS[encoder],
        "train": {"prediction_steps": 2},
    }
    experiment = read_experiment(settings, "test")
    return SimpleNamespace(
        experiment=experiment,
        weights=initial_weights(experiment),
        images=fashion.load_shipped().test_images[:IMAGES],
    )


def find(made, neurons=3, count=4, images=None):
    images = made.images if images is None else images
    return preferred_patches(made.weights, made.experiment, images, neurons, count)


def clusters(seed=0, count=90, width=6):
    """Three clouds far from each other, and which is whose."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return random.normal(size=(count, width)) + 30 * np.eye(3, width)[labels], labels
