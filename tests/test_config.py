"""Experiments are checked when they are read, and say what is wrong in one sentence."""

import pytest

from clapp_neuro.config import (
    Experiment,
    load_preset,
    preset_names,
    read_experiment,
    with_training,
)
from clapp_neuro.encoders.shapes import weight_shapes
from clapp_neuro.errors import InputError


def test_presets():
    assert preset_names() == [
        "fashion-conv",
        "fashion-conv-chip",
        "fashion-dense",
        "fashion-dense-3",
        "fashion-dense-rate",
        "fashion-resnet50",
        "fashion-stdp",
        "fashion-traces",
        "fashion-vgg6",
        "stl10-dense",
        "stl10-resnet50",
        "stl10-vgg6",
    ]
    assert load_preset("fashion-dense").widths == (196, 256, 256)
    assert load_preset("fashion-dense-3").widths == (196, 256, 256, 256)
    assert load_preset("fashion-dense-rate").encoder.neurons == "rate"
    assert load_preset("stl10-vgg6").widths == (1, 128, 256, 256, 512, 1024, 1024)
    photographs = load_preset("stl10-dense")
    assert photographs.widths == (512, 256, 256)
    assert photographs.data.positions == 49


def test_unknown_preset_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'fashion-dense'"):
        load_preset("fashion-dens")


def test_json_round_trip():
    experiment = load_preset("stl10-dense")
    assert read_experiment(experiment.model_dump(mode="json"), "here") == experiment


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": {"patch": 30}}, "here: data: patch 30 with stride 7 leaves 0 fixation"),
        ({"data": {"patch": 28}}, "at least 2"),
        ({"data": {"crop": 29}}, "crop 29 is larger than the 28x28"),
        ({"data": {"dataset": "mnist"}}, "'fashion-mnist' or 'stl10', not 'mnist'"),
        ({"data": {"std": 0}}, "data.std"),
        ({"encoder": {"layers": []}}, "encoder.layers"),
        ({"encoder": {"layers": [0]}}, "encoder.layers.0"),
        ({"encoder": {"steps": 128}}, "less than or equal to 127, not 128"),
        ({"encoder": {"decays": 0.5}}, "encoder.decays: Extra inputs"),
        ({"train": {"batch_size": 1}}, "train.batch_size"),
        ({"train": {"adam_rate": float("nan")}}, "train.adam_rate"),
        ({"train": {"method": "clap"}}, "unknown method 'clap': did you mean 'clapp'"),
        ([], "here"),
    ],
)
def test_faults_are_named(values, message):
    with pytest.raises(InputError) as caught:
        read_experiment(values, "here")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_with_training():
    experiment = with_training(Experiment(), mode="online", seed=3, steps=None)
    assert (experiment.train.mode, experiment.train.seed) == ("online", 3)
    assert experiment.train.total_steps == 180_000
    assert with_training(experiment, steps=5).train.total_steps == 5
    with pytest.raises(InputError, match=r"train\.seed"):
        with_training(experiment, seed=-1)


def test_weight_shapes():
    shapes = weight_shapes(load_preset("fashion-dense"))
    assert shapes["layer1.forward"] == (256, 196)
    assert shapes["layer2.prediction"] == (256, 256)
    assert len(shapes) == 6
