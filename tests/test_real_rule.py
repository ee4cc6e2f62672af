"""The rules that the compiler lowers are those of the float reference, in real numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import load_preset, with_settings
from clapp_neuro.data.images import load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally
from compiler.frontends.checkpoint import INPUT, RULES, SACCADE, network_from_checkpoint
from compiler.real_numbers.rule import RealNetwork

FIXATIONS = 60


@pytest.mark.parametrize("retro", ["own", "transposed", "none"])
def test_clapp_goes_the_same_way(retro: str) -> None:
    go_the_same_way("clapp", retro)


@pytest.mark.parametrize("method", sorted(RULES.keys() - {"clapp"}))
def test_other_rules_go_the_same_way(method: str) -> None:
    go_the_same_way(method, None)


def go_the_same_way(method: str, retro: str | None) -> None:
    """Both see the same spikes: those of the reference, which learns as it goes."""
    settings = {"method": method, "mode": "online", "weight_decay": 0.0, "retro": retro}
    experiment = with_settings(
        load_preset("fashion-dense"),
        data={},
        encoder={"layers": (14, 10)},
        train={**settings, "sgd_rate": 2**-6, "margin": 0.3},
    )
    weights = {name: w.double() for name, w in initial_weights(experiment).items()}
    start = {name: w.clone() for name, w in weights.items()}
    real = RealNetwork(network_from_checkpoint(Checkpoint(experiment, 0, start)))
    images = load_images(experiment.data, None)
    trainer = OnlineTrainer(experiment, images, weights, None)
    tally = Tally(2, 0)
    with torch.inference_mode():
        for step in range(FIXATIONS):
            inputs, label = trainer._fixation(step)
            trainer.advance(step, tally)
            seen = {f"layer{n}": trainer.before[n].z[0].numpy().copy() for n in (1, 2)}
            real.fixation({INPUT: inputs[0].numpy(), **seen}, {SACCADE: float(label)})
    moved = 0
    for name, w in real.weights.items():
        change = weights[name].numpy() - start[name].numpy()
        assert np.allclose(w - start[name].numpy(), change, rtol=1e-9, atol=1e-12), name
        moved += int(np.count_nonzero(change))
    assert moved > 500
    for name, averages in real.averages.items():
        assert np.allclose(averages.mean, weights[f"{name}.mean"].numpy(), rtol=1e-9)
        assert np.allclose(averages.variance, weights[f"{name}.variance"].numpy(), rtol=1e-9)
