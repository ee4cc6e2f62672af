"""What does not combine is refused with the reason; what does trains."""

import pytest
import torch

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import load_preset, with_settings
from clapp_neuro.errors import InputError
from clapp_neuro.rules.registry import METHODS
from clapp_neuro.training import train

CONV = {"architecture": "conv", "layers": (6, 8, 8), "pool": (1, 3)}
TOPS = {"1": (6,), "2": (3, 6), "3": (2, 4, 6), "4-lower": (1, 2, 3, 6), "4-upper": (3, 4, 5, 6)}
SIX = {"architecture": "conv", "layers": (4, 4, 4, 4, 4, 4), "pool": (2, 4)}


def settings(encoder=None, data=None, **chosen):
    base = load_preset("fashion-dense")
    return with_settings(
        base,
        data={"patch": 12, "stride": 8, "order": "columns", "images": 40} | (data or {}),
        encoder={"layers": (12, 10)} | (encoder or {}),
        train={"batch_size": 8, "steps": 2} | chosen,
    )


@pytest.fixture(autouse=True)
def shipped_images(monkeypatch, tmp_path):
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"method": "cpc", "retro": "own"},
            "cpc knows no such loss; it combines with 'transposed'",
        ),
        ({"method": "lpl", "retro": "own"}, "lpl has no prediction weights"),
        ({"method": "gim", "context": "above"}, "not for gim"),
        ({"method": "dfa", "modules": "1"}, "dfa says itself how errors reach each layer"),
        ({"method": "clapp", "modules": "1", "context": "top"}, "there is only one"),
        ({"method": "clapp-s", "mode": "online"}, "not there at the same time; use mode 'batch'"),
        ({"method": "supervised", "mode": "online"}, "needs labels"),
        ({"mode": "online", "modules": "1"}, "local in time and space"),
        ({"mode": "online", "prediction_steps": 2}, "keeps one trace"),
        ({"mode": "online", "precision": "bfloat16"}, "single fixations"),
        ({"retro": "none", "gate": "split"}, "two halves of Eq. 14"),
        ({"directions": "down-across", "data": {"order": "scan"}}, "needs order 'columns'"),
        ({"directions": "down-across", "method": "lpl"}, "a method with prediction weights"),
        ({"modules": "3"}, "2 layers do not divide into 3"),
        ({"modules": "4-upper"}, "divides six layers"),
        ({"prediction_steps": 5}, "5 fixations ahead, but a sequence has 3"),
        ({"method": "snn-supervised", "encoder": {"neurons": "rate"}}, "about spikes"),
        ({"method": "predictive-coding"}, "use neurons 'rate'"),
        ({"data": {"coding": "signed"}}, "spikes cannot carry: use 'on-off'"),
        ({"encoder": {"pool": (1,)}}, "pool is for conv"),
        ({"encoder": CONV | {"pool": (1, 2, 3, 3)}, "data": {"patch": 4}}, "leave nothing"),
        ({"encoder": CONV | {"pool": (4,)}}, "names layer 4, but there are 3"),
        ({"encoder": {"architecture": "resnet50"}}, "has the layers"),
        ({"encoder": {"architecture": "resnet50", "layers": (256, 512, 1024)}}, "across its skips"),
        ({"encoder": {"library": "norse", "decay": 1.0}}, "use library 'snntorch'"),
        ({"method": "stdp"}, "use mode 'online' and a dense encoder"),
        ({"method": "r-stdp", "mode": "online"}, "give encoder.input 'spikes'"),
        ({"method": "stdp", "encoder": {"neurons": "rate"}}, "about spikes"),
        ({"encoder": {"input": "spikes"}}, "use input 'current'"),
        (
            {"method": "random", "encoder": {"input": "spikes", "neurons": "rate"}},
            "drives spiking neurons",
        ),
    ],
)
def test_refusals(change, message):
    with pytest.raises(InputError, match=message) as caught:
        settings(**change)
    assert "\n" not in str(caught.value) and ": :" not in str(caught.value)


def possible():
    for name, method in METHODS.items():
        if method.timed:  # online and dense only: tests/test_stdp.py
            continue
        for kind, encoder in (("dense", {}), ("conv", CONV)):
            for neurons in ("rate", "spiking"):
                if method.spiking_only and neurons == "rate":
                    continue
                if method.rate_only and neurons == "spiking":
                    continue
                yield pytest.param(name, encoder, neurons, id=f"{name}-{kind}-{neurons}")


@pytest.mark.parametrize(("method", "encoder", "neurons"), list(possible()))
def test_every_method_trains(method, encoder, neurons, tmp_path):
    experiment = settings(encoder | {"neurons": neurons}, method=method, prediction_steps=2)
    result = train(experiment, tmp_path / "model.pt")
    learns = method != "random"
    assert result.step == (2 if learns else 0)
    assert all(0 < layer.rate < 1 for layer in result.final)


@pytest.mark.parametrize(
    "chosen",
    [
        *({"modules": m, "method": "clapp-s"} for m in ("1", "2", "3", "4-lower", "4-upper", "6")),
        {"context": "above"},
        {"context": "top"},
        {"context": "above", "method": "clapp-s", "retro": "own"},
        {"context": "top", "modules": "2"},
        {"context": "top", "directions": "down-across"},
        {"method": "gim", "directions": "down-across"},
        {"method": "hinge-cpc", "retro": "own"},
        {"retro": "none"},
        {"precision": "bfloat16"},
    ],
    ids=str,
)
def test_options_combine(chosen, tmp_path):
    result = train(settings(SIX | {"neurons": "rate"}, **chosen), tmp_path / "model.pt")
    assert result.step == 2
    tops = {
        "1": (6,),
        "2": (3, 6),
        "3": (2, 4, 6),
        "4-lower": (1, 2, 3, 6),
        "4-upper": (3, 4, 5, 6),
    }
    assert result.layers == tops.get(chosen.get("modules"), result.layers)


@pytest.mark.parametrize(
    "method", [name for name, m in METHODS.items() if m.online and not m.timed]
)
@pytest.mark.parametrize("neurons", ["rate", "spiking"])
@pytest.mark.parametrize("encoder", [{}, CONV], ids=["dense", "conv"])
def test_methods_that_learn_online(method, neurons, encoder, tmp_path):
    experiment = settings(encoder | {"neurons": neurons}, method=method, mode="online", steps=30)
    whole, part = tmp_path / "whole.pt", tmp_path / "part.pt"
    train(experiment, whole)
    train(with_settings(experiment, train={"steps": 11}), part)
    train(experiment, part, resume=part)
    ours, theirs = (load_checkpoint(path).weights for path in (part, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_resnet50_trains(tmp_path):
    experiment = with_settings(
        load_preset("fashion-resnet50"),
        data={"images": 8, "patch": 8, "stride": 10},
        train={"method": "gim", "batch_size": 2, "steps": 1, "prediction_steps": 1},
    )
    assert train(experiment, tmp_path / "model.pt").layers == (1, 2, 3)
