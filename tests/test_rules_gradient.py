"""Every local rule is the gradient that it stands for, with the gradient blocked between layers.

Minus the update must equal autograd's gradient of the layer's loss, written here once more as a
formula, in float64: per layer and prediction step, dense and convolutional, with max-pooling and
mean-pooling in between, untrained and after training.
"""

from functools import lru_cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from straight_through import StraightThrough

from clapp_neuro.config import read_experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import forward
from clapp_neuro.rules import espp, lpl
from clapp_neuro.training.batch import BatchTrainer
from clapp_neuro.training.tally import Tally

TOLERANCE = 1e-9
TRAINING_STEPS = 30
LAYERS = (1, 2, 3)

CONV = {"architecture": "conv", "layers": [6, 5, 7], "pool": [1, 3], "neurons": "rate"}
ENCODERS = {
    "dense": {"layers": [12, 10, 8], "neurons": "rate"},
    "dense-spiking": {"layers": [24, 20, 16]},
    "conv": CONV,
    "conv-spiking": {**CONV, "neurons": "spiking"},
}
LOCAL = ["clapp", "clapp-s", "gim", "greedy-supervised", "lpl", "espp"]


def photographs() -> ImageSet:
    """Sixty random images of smooth blobs, so that fixations of one image are alike."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.random((60, 1, 5, 5)))
    images = F.interpolate(coarse, (28, 28), mode="bilinear").squeeze(1).mul(255).byte().numpy()
    labels = random.integers(0, 10, 60)
    return ImageSet("fashion-mnist", "blobs", (), images, labels, images, labels)


@lru_cache
def trainer(encoder, steps, **train) -> BatchTrainer:
    settings = {
        "data": {"patch": 8, "stride": 5, "order": "columns"},
        "encoder": ENCODERS[encoder],
        "train": {
            "batch_size": 12,
            "prediction_steps": 2,
            "skip": 1,
            "adam_rate": 0.003,
            "negatives": 4,
            **train,
        },
    }
    experiment = read_experiment(settings, "test")
    weights = {name: weight.double() for name, weight in initial_weights(experiment).items()}
    made = BatchTrainer(experiment, photographs(), weights, None)
    with torch.no_grad():
        for step in range(steps):
            made.advance(step, Tally(3, 0))
    return made


def updates_of(made, step):
    """ΔW of a minibatch, as the optimizer would get it, without changing a weight."""
    found = {}

    def note(number, response, said, local=False):
        dendrite = said.dendrite if local else said.dendrite.flatten(0, 1)
        found.update(response.learn(dendrite))
        level = made.modules[number][-1]
        found.update({f"layer{level}.{role}": c for role, c in said.changes.items()})

    change, made._change = made._change, note
    with torch.no_grad():
        made.advance(step, Tally(3, 0))
    made._change = change
    return found


def differentiable(made, leaves, layer, step):
    """z (B, P, N) of a layer with autograd through its own synapses alone."""
    experiment = made.experiment
    images, labels = made.source[step]
    from clapp_neuro.data.device_patches import patch_inputs

    maps = experiment.encoder.architecture != "dense"
    inputs = patch_inputs(images, experiment.data, maps).double()
    with torch.no_grad():
        seen = forward(made.weights, inputs, experiment.encoder)[layer - 1]
    weight, bias = leaves[f"layer{layer}.forward"], leaves.get(f"layer{layer}.bias")
    if weight.dim() == 2:
        a = seen.x @ weight.T
    else:
        a = F.conv2d(seen.x, weight, bias, padding=1)
        if seen.winners is not None:
            a = a.flatten(2).gather(2, seen.winners.long().flatten(2)).view_as(seen.map)
    z = StraightThrough.apply(a, seen.map, seen.surrogate)
    z = z if z.dim() == 2 else z.mean((2, 3))
    return z.unflatten(0, (-1, experiment.data.positions)), labels


def contrastive_terms(made, z, c, layer, step):
    """Context, targets (positive first) of each prediction step, gathered by plain indexing."""
    draw, train = made._draw(step), made.experiment.train
    negatives = draw.negatives(layer)
    flat = z.flatten(0, 1)
    for source, target in draw.pairs:
        if train.method == "clapp":
            yield c[draw.origin][:, source], z[:, target], None, draw.y
            continue
        rows = z.shape[0] * len(source)
        wrong = negatives.integers(0, len(flat), (rows, train.negatives))
        yield c[:, source].flatten(0, 1), z[:, target].flatten(0, 1), flat[wrong], None


def prediction_loss(made, z, leaves, layer, step):
    train = made.experiment.train
    total = 0
    terms = contrastive_terms(made, z, z, layer, step)
    for k, (c, right, wrong, y) in enumerate(terms, 1):
        name = f"layer{layer}." + "{}" + ("" if k == 1 else f".{k}")
        prediction, retrodiction = (leaves[name.format(w)] for w in ("prediction", "retrodiction"))
        halves = [(c, right, wrong, prediction)]
        if train.retrodiction == "own":  # Eq. 14
            stop = None if wrong is None else wrong.detach()
            halves = [
                (c.detach(), right, wrong, prediction),
                (c, right.detach(), stop, retrodiction.T),
            ]
        elif train.retrodiction == "none":
            halves = [(c.detach(), right, wrong, prediction)]
        for context, good, bad, matrix in halves:
            d = context @ matrix.T
            u = (good * d).sum(-1)
            if y is not None:
                for sign in (1, -1):
                    if (y == sign).any():
                        total = total + torch.relu(1 - sign * u[y == sign]).mean()
                continue
            v = (bad * d[:, None]).sum(-1)
            if train.method == "gim":
                scores = torch.cat([u[:, None], v], 1)
                total = total + F.cross_entropy(scores, torch.zeros(len(u), dtype=torch.long))
            else:
                total = total + torch.relu(1 - u).mean() + torch.relu(1 + v).mean()
    return total / train.predictions


def loss(made, z, labels, leaves, layer, step):
    method = made.experiment.train.method
    draw = made._draw(step)
    source, target = draw.pairs[0]
    if method == "greedy-supervised":
        weight, bias = (leaves[f"layer{layer}.classifier{end}"] for end in ("", "_bias"))
        return F.cross_entropy(z.mean(1) @ weight.T + bias, labels)
    if method == "lpl":
        mean = made.weights[f"layer{layer}.mean"]
        mean = mean + lpl.AVERAGING * (z.detach().mean((0, 1)) - mean)
        variance = made.weights[f"layer{layer}.variance"]
        spread = (z.detach() - mean).square().mean((0, 1))
        variance = variance + lpl.AVERAGING * (spread - variance)
        stays = (draw.y > 0)[:, None, None]
        slow = (z[:, target] - z[:, source].detach()).square() * stays
        varied = (z[:, target] - mean).square() / (variance + lpl.EPSILON)
        return (slow - lpl.HEBBIAN * varied).sum(-1).mean() / 2
    if method == "espp":
        echo = F.normalize(z.detach()[draw.origin][:, source], dim=-1)
        y = draw.y[:, None]
        now = z[:, target]
        threshold = torch.where(y > 0, espp.THRESHOLD_STAYS, espp.THRESHOLD_LEFT)
        return torch.relu(y * (threshold - (now * echo).sum(-1))).mean()
    return prediction_loss(made, z, leaves, layer, step)


def relative(update, gradient):
    """‖ΔW + ∇L‖ / (‖ΔW‖ + ‖∇L‖)."""
    return ((update + gradient).norm() / (update.norm() + gradient.norm())).item()


def compare(made, layer, step=1000):
    updates = updates_of(made, step)
    leaves = {
        name: weight.clone().requires_grad_()
        for name, weight in made.weights.items()
        if name.startswith(f"layer{layer}.")
    }
    z, labels = differentiable(made, leaves, layer, step)
    loss(made, z, labels, leaves, layer, step).backward()
    compared = 0
    for name, leaf in leaves.items():
        if leaf.grad is None:
            assert name not in updates or name.split(".")[1] == "retrodiction", name
            continue
        assert leaf.grad.norm() > 0, name
        assert relative(updates[name], leaf.grad) < TOLERANCE, name
        compared += 1
    return compared


@pytest.mark.parametrize("steps", [0, TRAINING_STEPS])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("method", LOCAL)
def test_rule_equals_autograd(method, encoder, steps):
    gate = "split" if method == "clapp" else "shared"  # Eq. 14 as it stands
    made = trainer(encoder, steps, method=method, gate=gate)
    for layer in LAYERS:
        assert compare(made, layer) >= 1


def test_predictions_down_and_across():
    """The patch across is the next column's: its matrices follow those of the steps down."""
    made = trainer("conv", 0, method="clapp", gate="split", directions="down-across")
    (down, _), (across, there) = made._draw(0).pairs[0], made._draw(0).pairs[2]
    grid = made.experiment.data.grid
    assert len(made._draw(0).pairs) == 4
    assert torch.equal(there - across, torch.full_like(across, 2 * grid))
    assert len(down) == len(across)
    for layer in LAYERS:
        assert compare(made, layer) == 10


@pytest.mark.parametrize("steps", [0, TRAINING_STEPS])
@pytest.mark.parametrize("encoder", ["dense-spiking", "conv"])
@pytest.mark.parametrize("retro", ["own", "transposed", "none"])
@pytest.mark.parametrize("method", ["clapp", "clapp-s"])
def test_prediction_and_retrodiction(method, retro, encoder, steps):
    gate = "split" if retro == "own" else "shared"
    made = trainer(encoder, steps, method=method, retro=retro, gate=gate)
    bias = 1 if encoder == "conv" else 0
    expected = {"own": 5, "transposed": 3, "none": 3}[retro] + bias
    for layer in LAYERS:
        assert compare(made, layer) == expected
