"""The explicit rule is the gradient that the paper says it is.

Minus the update must equal autograd's gradient of the split loss (Eq. 14, without its ½) with an
own W_retro and split gates, and of the loss (Eq. 3) with W_retro = W_predᵀ: for rate and spiking
neurons, untrained and after training, in float64.
"""

from functools import lru_cache

import pytest
import torch

from clapp_neuro.config import EncoderConfig, Experiment, with_training
from clapp_neuro.encoders.dense import forward, initial_weights
from clapp_neuro.encoders.neurons import StraightThrough
from clapp_neuro.errors import InputError
from clapp_neuro.rules import clapp
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.training.state import moment_of, synapses_of

ROWS = 40
TOLERANCE = 1e-5
TRAINING_STEPS = 200
LEARNING_RATE = {"spiking": 0.1, "rate": 0.5}


def experiment(neurons, retro):
    encoder = EncoderConfig(layers=(48, 32), neurons=neurons)
    return with_training(Experiment(encoder=encoder), retro=retro)


def pairs(seed):
    """Inputs of two fixations, half of them of one image, half across a saccade; y; η."""
    generator = torch.Generator().manual_seed(seed)
    shape, kind = (2, ROWS, 196), {"generator": generator, "dtype": torch.float64}
    before, other = torch.rand(shape, **kind) * (torch.rand(shape, **kind) < 0.2)
    y = torch.ones(ROWS, dtype=torch.float64)
    y[ROWS // 2 :] = -1
    now = torch.where(y[:, None] > 0, 0.8 * before + 0.2 * other, other)
    eta = torch.full_like(y, 2 / ROWS)
    return now, before, y, eta


def explicit(weights, settings, layer, batch, gate):
    now, before, y, eta = batch
    with torch.no_grad():
        at = [moment_of(forward(weights, x, settings.encoder)[layer - 1]) for x in (now, before)]
        synapses = synapses_of(weights, layer)
        retro = settings.train.retro
        broadcast = clapp.modulate(*at, synapses, y, eta=eta, retro=retro, gate=gate)
        changes = clapp.plasticity(*at, synapses, broadcast, retro=retro)
        return changes, broadcast


@lru_cache
def trained(settings, steps):
    """Weights in float64 after some steps of gradient descent by the rule itself."""
    weights = {name: weight.double() for name, weight in initial_weights(settings).items()}
    for step in range(steps):
        batch = pairs(step)
        for layer in (1, 2):
            updates, _ = explicit(weights, settings, layer, batch, "shared")
            synapses = synapses_of(weights, layer)
            rate = LEARNING_RATE[settings.encoder.neurons]
            synapses.forward.add_(updates.forward.matrix(), alpha=rate)
            synapses.prediction.add_(updates.prediction.matrix(), alpha=rate)
            if updates.retrodiction is not None:
                synapses.retrodiction.add_(updates.retrodiction.matrix(), alpha=rate)
    return weights


def differentiable(weights, settings, layer, inputs):
    """z of a layer with autograd through ρ' and W alone: x is blocked, as CLAPP does."""
    activity = forward({k: w.detach() for k, w in weights.items()}, inputs, settings.encoder)
    answer = activity[layer - 1]
    a = answer.x @ weights[f"layer{layer}.forward"].T
    return StraightThrough.apply(a, answer.z, answer.surrogate)


def hinge(y, score, eta):
    return (eta * torch.relu(1 - y * score)).sum()


def gradients(weights, settings, layer, batch):
    """Autograd of Eq. 14 (own W_retro) or Eq. 3 (transposed)."""
    now, before, y, eta = batch
    leaves = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    z = differentiable(leaves, settings, layer, now)
    c = differentiable(leaves, settings, layer, before)
    prediction = leaves[f"layer{layer}.prediction"]
    retrodiction = leaves[f"layer{layer}.retrodiction"]
    if settings.train.retro == "transposed":
        loss = hinge(y, (z * (c @ prediction.T)).sum(-1), eta)
    else:
        target = hinge(y, (z * (c.detach() @ prediction.T)).sum(-1), eta)
        source = hinge(y, (c * (z.detach() @ retrodiction.T)).sum(-1), eta)
        loss = target + (source if settings.train.retro == "own" else 0)
    loss.backward()
    return leaves[f"layer{layer}.forward"].grad, prediction.grad, retrodiction.grad


def relative(update, gradient):
    """‖ΔW + ∇L‖ / (‖ΔW‖ + ‖∇L‖)."""
    return ((update + gradient).norm() / (update.norm() + gradient.norm())).item()


@pytest.mark.parametrize("neurons", ["rate", "spiking"])
@pytest.mark.parametrize("retro", ["own", "transposed", "none"])
@pytest.mark.parametrize("steps", [0, TRAINING_STEPS])
@pytest.mark.parametrize("layer", [1, 2])
def test_rule_equals_autograd(neurons, retro, steps, layer):
    settings = experiment(neurons, retro)
    weights, batch = trained(settings, steps), pairs(1000)
    updates, broadcast = explicit(weights, settings, layer, batch, "split")
    assert broadcast.target.any()
    if steps:
        assert (broadcast.target == 0).any(), "training should have closed some gates"
    forward_grad, prediction_grad, retrodiction_grad = gradients(weights, settings, layer, batch)
    assert forward_grad.norm() > 0 and prediction_grad.norm() > 0
    assert relative(updates.forward.matrix(), forward_grad) < TOLERANCE
    assert relative(updates.prediction.matrix(), prediction_grad) < TOLERANCE
    if retro == "own":
        assert relative(updates.retrodiction.matrix(), retrodiction_grad) < TOLERANCE


def test_the_shared_gate_differs_only_where_the_two_scores_disagree():
    """Eq. 17 assumes one gate. It and Eq. 14 agree on every row where both gates do."""
    settings = experiment("spiking", "own")
    weights, batch = trained(settings, TRAINING_STEPS), pairs(1000)
    shared, one = explicit(weights, settings, 1, batch, "shared")
    split, two = explicit(weights, settings, 1, batch, "split")
    agree = (two.target != 0) == (two.source != 0)
    assert agree.any() and not agree.all(), "the test needs rows of both kinds"
    assert one.source is one.target
    assert torch.equal(one.target, two.target)
    assert torch.equal(shared.prediction.matrix(), split.prediction.matrix())
    assert relative(shared.forward.matrix(), -split.forward.matrix()) > TOLERANCE
    rows = tuple(part[agree] for part in batch)
    shared, _ = explicit(weights, settings, 1, rows, "shared")
    split, _ = explicit(weights, settings, 1, rows, "split")
    torch.testing.assert_close(shared.forward.matrix(), split.forward.matrix())
    torch.testing.assert_close(shared.retrodiction.matrix(), split.retrodiction.matrix())


def test_eq_6_to_8_by_hand():
    """One layer of two neurons and two inputs, one fixation, every number written out."""
    now = clapp.Moment(
        x=torch.tensor([[1.0, 2.0]]), z=torch.tensor([[0.5, 0.25]]), surrogate=torch.ones(1, 2)
    )
    before = clapp.Moment(
        x=torch.tensor([[3.0, 4.0]]),
        z=torch.tensor([[1.0, 0.5]]),
        surrogate=torch.tensor([[0.0, 1.0]]),
    )
    synapses = clapp.Synapses(
        forward=torch.zeros(2, 2),
        prediction=torch.tensor([[0.2, 0.4], [0.0, 0.8]]),
        retrodiction=torch.tensor([[0.1, 0.0], [0.6, 0.4]]),
    )
    for y, gamma in ((1.0, 0.1), (-1.0, -0.1)):
        signal = torch.tensor([y])
        broadcast = clapp.modulate(now, before, synapses, signal, eta=0.1)
        torch.testing.assert_close(broadcast.prediction, torch.tensor([[0.4, 0.4]]))
        torch.testing.assert_close(broadcast.score, torch.tensor([0.3]))
        torch.testing.assert_close(broadcast.loss, torch.tensor([1 - y * 0.3]))
        torch.testing.assert_close(broadcast.target, torch.tensor([gamma]))
        updates = clapp.plasticity(now, before, synapses, broadcast)
        # d = (0.4, 0.4); r = W_retro z = (0.05, 0.4), of which ρ' before keeps the second
        expected = gamma * torch.tensor([[0.4, 0.8], [0.4 + 0.4 * 3, 0.8 + 0.4 * 4]])
        torch.testing.assert_close(updates.forward.matrix(), expected)
        hebb = gamma * torch.tensor([[0.5, 0.25], [0.25, 0.125]])
        torch.testing.assert_close(updates.prediction.matrix(), hebb)
        torch.testing.assert_close(updates.retrodiction.matrix(), hebb.T)
        weight = torch.ones(2, 2)
        updates.forward.apply(weight)
        torch.testing.assert_close(weight, 1 + expected)


def test_a_closed_gate_changes_nothing():
    now = clapp.Moment(torch.ones(1, 3), torch.ones(1, 2), torch.ones(1, 2))
    synapses = clapp.Synapses(torch.zeros(2, 3), torch.eye(2), torch.eye(2))
    closed = clapp.modulate(now, now, synapses, torch.ones(1), eta=0.1)
    assert closed.score.item() == 2
    assert not closed.open
    updates = clapp.plasticity(now, now, synapses, closed)
    assert not updates.forward.matrix().any() and not updates.prediction.matrix().any()
    deeper = clapp.modulate(now, now, synapses, torch.ones(1), eta=0.1, margin=3)
    assert deeper.open


def test_registry():
    assert find_rule("clapp") is clapp
    assert find_rule("random").LEARNS is False
    with pytest.raises(InputError, match="did you mean 'clapp'"):
        find_rule("klapp")
