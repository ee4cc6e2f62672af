"""Online CLAPP with exponential traces: the traces, the rule as a gradient, and that it learns."""

from __future__ import annotations

import pytest
import torch
from straight_through import StraightThrough

import clapp_neuro
from clapp_neuro.config import read_experiment
from clapp_neuro.data.images import load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.neurons import input_spikes
from clapp_neuro.errors import InputError
from clapp_neuro.training.moments import online_trainer
from clapp_neuro.training.tally import Tally
from clapp_neuro.training.traces import TraceTrainer, decays

RATE = 0.01


def experiment(encoder=None, **train):
    values = {
        "data": {"dataset": "fashion-mnist", "images": 200},
        "encoder": {
            "layers": [24, 16],
            "input": "spikes",
            "rest": 24,
            "traces": "exponential",
            "tau_fast": 8,
            "tau_slow": 20,
            **(encoder or {}),
        },
        "train": {"mode": "online", "sgd_rate": RATE, "seed": 3, **train},
    }
    return read_experiment(values, "test")


def trainer(chosen, resume=None):
    weights = {name: w.double() for name, w in initial_weights(chosen).items()}
    return TraceTrainer(chosen, load_images(chosen.data), weights, resume)


def advance(made, first, last):
    tally = Tally(2, 0)
    with torch.no_grad():
        for step in range(first, last):
            made.advance(step, tally)


def test_a_trace_rises_at_spikes_and_decays_at_every_step_of_the_period():
    chosen = experiment()
    encoder, made = chosen.encoder, trainer(experiment())
    kept = torch.zeros(2, chosen.data.inputs, dtype=torch.float64)
    left = torch.tensor(decays(encoder), dtype=torch.float64)[:, None]
    for step in range(4):
        advance(made, step, step + 1)
        spikes = input_spikes(made._fixation(step)[0][0], encoder.steps)
        for fired in spikes:
            kept = left * kept + fired
        full = sum(left**age for age in range(encoder.steps))
        torch.testing.assert_close(made.kept[0], kept / full)
        for _ in range(encoder.rest):
            kept = left * kept


def test_the_traces_tell_the_last_fixation_from_this_one():
    chosen = experiment()
    encoder, made = chosen.encoder, trainer(chosen)
    always, never = torch.ones(encoder.steps, 1), torch.zeros(encoder.steps, 1)
    for last, now in ((always, never), (never, always)):
        made.kept = [torch.zeros(2, 1, dtype=torch.float64)]
        for spikes in (last, now):
            made.kept = [made.left * made.kept[0] + made.shares @ spikes.double()]
        before, present = made._traces(0)[0]
        leftover = made.left[0].item() * last.mean().item()
        assert before.item() == pytest.approx(last.mean().item())
        assert present.item() == pytest.approx(now.mean().item() + leftover)


class Heard(torch.autograd.Function):
    """x Wᵀ, of which the gradient with respect to W takes x for its trace."""

    @staticmethod
    def forward(ctx, x, weight, trace):
        ctx.save_for_backward(weight, trace)
        return x @ weight.T

    @staticmethod
    def backward(ctx, gradient):
        weight, trace = ctx.saved_tensors
        return gradient @ weight, gradient.T @ trace, None


@pytest.mark.parametrize("retro", ["none", "transposed", "own"])
@pytest.mark.parametrize("layer", [1, 2])
def test_the_rule_is_the_gradient_in_which_synapses_take_activity_for_its_trace(retro, layer):
    made = trainer(experiment(retro=retro))
    advance(made, 0, 40)
    step = next(s for s in range(40, 60) if _opens(made, s, layer))
    prefix = f"layer{layer}."
    start = {n: w.clone() for n, w in made.weights.items()}
    last = made.before[layer]
    advance(made, step, step + 1)
    now, (before_x, x) = made.before[layer], made._traces(layer - 1)[0].split(1)
    before_z, z = made._traces(layer)[0].split(1)
    leaves = {n: w.clone().requires_grad_() for n, w in start.items() if n.startswith(prefix)}
    forward = leaves[prefix + "forward"]
    c, present = (
        StraightThrough.apply(Heard.apply(torch.zeros_like(trace), forward, trace), seen.z, rho)
        for trace, seen, rho in ((before_x, last, last.surrogate), (x, now, now.surrogate))
    )
    y = float(made._fixation(step)[1])

    def loss(z, c, matrix, weight, trace):
        return torch.relu(1 - y * (z * Heard.apply(c, weight, trace)).sum() * matrix)

    prediction = leaves[prefix + "prediction"]
    still = c.detach() if retro != "transposed" else c
    loss(present, still, 1.0, prediction, before_z).backward()
    if retro == "own":
        # the source's half (Eq. 14), with the shared gate: z predicts c through W_retro
        backward = leaves[prefix + "retrodiction"]
        score = (c * Heard.apply(present.detach(), backward, z)).sum()
        (-y * score).backward()
    checked = ["forward", "prediction"] + (["retrodiction"] if retro == "own" else [])
    for role in checked:
        change = made.weights[prefix + role] - start[prefix + role]
        assert change.abs().max() > 0
        torch.testing.assert_close(change, -RATE * leaves[prefix + role].grad)


def _opens(made, step, layer):
    """Whether a fixation changes the layer; goes on to it where it does not."""
    kept, before = list(made.kept), dict(made.before)
    start = {n: w.clone() for n, w in made.weights.items()}
    advance(made, step, step + 1)
    name = f"layer{layer}.prediction"
    opened = not torch.equal(made.weights[name], start[name])
    if opened:
        made.kept, made.before = kept, before
        for n, w in start.items():
            made.weights[n].copy_(w)
    return opened


def test_the_whole_run_equals_one_that_was_resumed(tmp_path):
    whole = clapp_neuro.with_training(experiment(retro="none"), steps=60)
    clapp_neuro.train(whole, tmp_path / "whole.pt")
    clapp_neuro.train(clapp_neuro.with_training(whole, steps=25), tmp_path / "part.pt")
    clapp_neuro.train(whole, tmp_path / "part.pt", resume=tmp_path / "part.pt")
    kept = [clapp_neuro.load_checkpoint(tmp_path / f"{name}.pt") for name in ("whole", "part")]
    for name, weight in kept[0].weights.items():
        assert torch.equal(weight, kept[1].weights[name])
    for name, value in kept[0].resume.items():
        assert torch.equal(value, kept[1].resume[name])


def test_it_learns():
    chosen = clapp_neuro.with_training(clapp_neuro.load_preset("fashion-traces"), sgd_rate=2**-7)
    images = load_images(chosen.data)
    made = online_trainer(chosen, images, initial_weights(chosen), None)
    losses = []
    for first in (0, 400):
        tally = Tally(2, first)
        with torch.no_grad():
            for step in range(first, first + 400):
                made.advance(step, tally)
        losses.append(tally.take(first + 400).layers[0].loss)
    assert losses[1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("encoder", "train", "remedy"),
    [
        ({}, {"method": "espp"}, "traces 'counts'"),
        ({"input": "current"}, {}, "encoder.input 'spikes'"),
        ({}, {"mode": "batch"}, "mode 'online'"),
        ({"tau_fast": 30}, {}, "tau_slow 20 is not above tau_fast 30"),
        ({}, {"gate": "split"}, "gate 'shared'"),
        ({"neurons": "rate"}, {}, "neurons 'spiking'"),
    ],
)
def test_what_does_not_go_with_traces_is_refused_with_the_remedy(encoder, train, remedy):
    with pytest.raises(InputError, match=remedy.replace("(", r"\(")):
        experiment(encoder, **train)
