"""Linear readout of frozen features."""

import numpy as np
import pytest
import torch

from clapp_neuro.config import load_preset, read_experiment
from clapp_neuro.data import fashion
from clapp_neuro.data.patches import image_inputs
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import forward
from clapp_neuro.errors import InputError
from clapp_neuro.readout import accuracies, augmented_features, layer_features, probe
from clapp_neuro.readouts import READOUTS, find_readout
from clapp_neuro.readouts.adam import EPOCHS, adam_readouts
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.training import train


def clouds(seed, count=300):
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    x = random.normal(size=(count, 5)) + 4 * np.eye(3, 5)[y]
    return x, y


def test_separable_classes_are_read_out_and_noise_is_not():
    train_x, train_y = clouds(0)
    test_x, test_y = clouds(1)
    assert logistic_readout(train_x, train_y, test_x, test_y) > 0.95
    noise = np.random.default_rng(2).normal(size=test_x.shape)
    assert logistic_readout(train_x, train_y, noise, test_y) < 0.5


@pytest.mark.parametrize("name", READOUTS)
def test_every_readout_separates_what_can_be_separated(name):
    (train_x, train_y), (test_x, test_y) = clouds(0, 1000), clouds(1)
    fit = find_readout(name)
    found = fit(train_x, train_y, test_x, test_y, 0)
    assert found > 0.9
    assert fit(train_x, train_y + 3, test_x, test_y + 3, 0) == found, "labels are names"
    shuffled = np.random.default_rng(2).permutation(test_y)
    assert fit(train_x, train_y, test_x, shuffled, 0) < 0.5
    with pytest.raises(InputError, match="NaN"):
        fit(train_x * np.nan, train_y, test_x, test_y, 0)


def test_an_unknown_readout_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'logistic'"):
        find_readout("logistics")


def test_counts_serve_as_features_and_the_fit_is_deterministic():
    train_x, train_y = clouds(0)
    test_x, test_y = clouds(1)
    counts = [np.clip(np.rint(4 + x), 0, 8).astype(np.int32) for x in (train_x, test_x)]
    first, second = (logistic_readout(counts[0], train_y, counts[1], test_y) for _ in range(2))
    assert first == second > 0.9


def test_features_of_constant_neurons_do_no_harm():
    train_x, train_y = clouds(0)
    test_x, test_y = clouds(1)
    train_x, test_x = (np.concatenate([x, np.ones((len(x), 1))], 1) for x in (train_x, test_x))
    assert logistic_readout(train_x, train_y, test_x, test_y) > 0.95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, b, c, d: (a[0], b, c, d), "training features"),
        (lambda a, b, c, d: (a, b, c, d[:-1]), "test features"),
        (lambda a, b, c, d: (a, b, c[:0], d[:0]), "test features"),
        (lambda a, b, c, d: (a * np.nan, b, c, d), "NaN"),
        (lambda a, b, c, d: (a, b, c[:, :3], d), "5 training but 3 test"),
        (lambda a, b, c, d: (a, b * 0, c, d), "two classes"),
    ],
)
def test_arrays_that_do_not_fit(change, message):
    with pytest.raises(InputError, match=message):
        logistic_readout(*change(*clouds(0), *clouds(1)))


def test_features_are_the_mean_over_positions():
    experiment = load_preset("fashion-dense")
    weights = initial_weights(experiment)
    images = fashion.load_shipped().test_images[:3]
    features = layer_features(weights, experiment, images)
    assert [part.shape for part in features] == [(3, 256), (3, 256)]
    inputs = torch.from_numpy(image_inputs(images[1:2], experiment.data))[0]
    for part, layer in zip(features, forward(weights, inputs, experiment.encoder), strict=True):
        np.testing.assert_allclose(part[1], layer.z.mean(0), rtol=1e-6)


def test_probe_beside_the_untrained_network(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion, "DEBIAN_FOLDER", tmp_path / "not-there")
    values = {"encoder": {"layers": [40, 30]}, "train": {"method": "random"}}
    train(read_experiment(values, "test"), tmp_path / "model.pt")
    notes = []
    result = probe(
        tmp_path / "model.pt",
        train_images=500,
        test_images=200,
        report=lambda done, total, note: notes.append((done, total)),
    )
    assert (result.train_images, result.test_images) == (500, 200)
    assert [layer.layer for layer in result.layers] == [1, 2]
    for layer in result.layers:
        assert layer.accuracy == layer.untrained > 0.4  # "random" trains nothing; chance is 0.1
    assert result.inputs > 0.4
    assert notes == [(n, 5) for n in range(1, 6)]
    with pytest.raises(InputError, match="5000 test images were asked for"):
        probe(tmp_path / "model.pt", test_images=5000)
    with pytest.raises(InputError, match="No such file"):
        probe(tmp_path / "none.pt")


def test_the_papers_readout_sees_its_images_cut_and_mirrored_afresh():
    values = {
        "data": {"crop": 20, "augment": True, "patch": 10, "stride": 10},
        "encoder": {"layers": [12, 10], "neurons": "rate"},
        "train": {"method": "random"},
    }
    experiment = read_experiment(values, "test")
    weights = initial_weights(experiment)
    images = fashion.load_shipped()
    train_images = images.train_images[:60], images.train_labels[:60]
    test_images = images.test_images[:80], images.test_labels[:80]
    epochs = list(augmented_features(weights, experiment, train_images[0]))
    assert len(epochs) == EPOCHS
    assert not np.allclose(epochs[0][1], epochs[1][1])
    again = next(iter(augmented_features(weights, experiment, train_images[0])))
    np.testing.assert_array_equal(again[1], epochs[0][1])
    found = accuracies(["adam", "logistic"], weights, experiment, train_images, test_images)
    theirs = layer_features(weights, experiment, test_images[0])
    assert found["adam"] == adam_readouts(epochs, train_images[1], theirs, test_images[1])
    fixed = layer_features(weights, experiment, train_images[0])
    assert found["logistic"] == [
        logistic_readout(x, train_images[1], other, test_images[1])
        for x, other in zip(fixed, theirs, strict=True)
    ], "every other readout sees the centres"


def test_without_augmentation_every_epoch_is_alike():
    (train_x, train_y), (test_x, test_y) = clouds(0), clouds(1)
    epochs = ([train_x] for _ in range(EPOCHS))
    found = adam_readouts(epochs, train_y, [test_x], test_y, 3)
    assert found == [find_readout("adam")(train_x, train_y, test_x, test_y, 3)]
