"""Training is seeded, learns, and goes on to the bit after an interruption."""

import signal
import threading

import numpy as np
import pytest
import torch

from clapp_neuro.checkpoint import load_checkpoint, save_checkpoint
from clapp_neuro.config import Experiment, read_experiment, with_training
from clapp_neuro.data.augmentation import augmentation, augmented
from clapp_neuro.data.fashion import load_shipped
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import forward
from clapp_neuro.errors import InputError
from clapp_neuro.training import train
from clapp_neuro.training.batch import BatchTrainer
from clapp_neuro.training.interrupt import deferred_interrupt
from clapp_neuro.training.loader import batch_indices
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally


@pytest.fixture(autouse=True)
def shipped_images(monkeypatch, tmp_path):
    """The images that come with the package, whatever else this machine has."""
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")


def settings(neurons="spiking", mode="batch", **changes) -> Experiment:
    values = {
        "data": {"images": 300},
        "encoder": {"layers": [32, 24], "neurons": neurons},
        "train": {"mode": mode, "batch_size": 16, **changes},
    }
    return read_experiment(values, "test")


def interrupt_at(step):
    """A `Report` that presses Ctrl-C once `step` is reached."""

    def report(done, total, note):
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return report


def same(one, two):
    for name in ("weights", "resume"):
        ours, theirs = getattr(one, name), getattr(two, name)
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert torch.equal(ours[key], theirs[key]), key


CASES = [
    {"mode": "batch", "steps": 20},
    {"mode": "batch", "steps": 20, "neurons": "rate"},
    {"mode": "batch", "steps": 20, "retro": "transposed"},
    {"mode": "batch", "steps": 20, "retro": "none"},
    {"mode": "online", "steps": 1500},
    {"mode": "online", "steps": 300, "neurons": "rate", "sgd_rate": 0.01},
    {"mode": "online", "steps": 300, "gate": "split"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_interrupted_and_resumed_equals_uninterrupted(case, tmp_path):
    experiment = settings(**case)
    whole, part = tmp_path / "whole.pt", tmp_path / "part.pt"
    result = train(experiment, whole)
    assert not result.interrupted and result.step == case["steps"]
    stop = case["steps"] * 7 // 10
    stopped = train(experiment, part, report=interrupt_at(stop))
    assert stopped.interrupted and stopped.step == stop
    assert load_checkpoint(part).step == stop
    again = train(None, part, resume=part)
    assert not again.interrupted and again.step == case["steps"]
    same(load_checkpoint(part), load_checkpoint(whole))
    assert load_checkpoint(part).calibration == load_checkpoint(whole).calibration


@pytest.mark.parametrize("mode", ["batch", "online"])
def test_a_longer_run_continues_a_shorter_one(mode, tmp_path):
    train(settings(mode=mode, steps=24), tmp_path / "long.pt")
    train(settings(mode=mode, steps=10), tmp_path / "short.pt")
    train(settings(mode=mode, steps=24), tmp_path / "more.pt", resume=tmp_path / "short.pt")
    same(load_checkpoint(tmp_path / "more.pt"), load_checkpoint(tmp_path / "long.pt"))


@pytest.mark.parametrize("mode", ["batch", "online"])
def test_runs_are_seeded(mode, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(settings(mode=mode, steps=12, seed=seed), tmp_path / name)
    a, b, c = (load_checkpoint(tmp_path / name) for name in "abc")
    same(a, b)
    assert not torch.equal(a.weights["layer1.forward"], c.weights["layer1.forward"])


@pytest.mark.parametrize("neurons", ["spiking", "rate"])
@pytest.mark.parametrize(("mode", "steps"), [("batch", 60), ("online", 4000)])
def test_the_loss_falls(neurons, mode, steps, tmp_path):
    rates = {"sgd_rate": 0.01} if neurons == "rate" else {}
    experiment = settings(neurons, mode, steps=steps, **rates)
    encoder = experiment.encoder.model_copy(update={"layers": (256, 128)})
    experiment = experiment.model_copy(update={"encoder": encoder})
    result = train(experiment, tmp_path / "model.pt")
    for first, last in zip(result.history[0].layers, result.final, strict=True):
        assert last.loss < 0.95  # chance is 1
        assert last.loss < 0.95 * first.loss
        assert last.rate > 0
    checkpoint = load_checkpoint(tmp_path / "model.pt")
    assert checkpoint.calibration["layer2.score_std"] > 0
    assert all(value >= 0 for value in checkpoint.calibration.values())
    assert checkpoint.data["images"] == 300
    assert set(checkpoint.versions) >= {"torch", "snntorch", "clapp-neuro"}


def test_random_is_the_untrained_network(tmp_path):
    experiment = settings(method="random", steps=50)
    result = train(experiment, tmp_path / "model.pt")
    assert (result.step, result.interrupted, result.final) == (0, False, ())
    weights = load_checkpoint(tmp_path / "model.pt").weights
    for name, weight in initial_weights(experiment).items():
        assert torch.equal(weight, weights[name])


def test_online_sees_what_the_batch_encoder_sees():
    experiment = settings(mode="online", steps=40)
    images = load_shipped()
    weights = initial_weights(experiment)
    trainer = OnlineTrainer(experiment, images, weights, None)
    for step in range(40):
        inputs, _ = trainer._fixation(step)
        expected = forward(weights, inputs, experiment.encoder)
        for (_, now), layer in zip(trainer._see(inputs), expected, strict=True):
            torch.testing.assert_close(now.z, layer.z)
            torch.testing.assert_close(now.x, layer.x)


def test_transposed_weights_stay_mirrored(tmp_path):
    for mode, steps in (("batch", 10), ("online", 200)):
        train(settings(mode=mode, steps=steps, retro="transposed"), tmp_path / "model.pt")
        weights = load_checkpoint(tmp_path / "model.pt").weights
        assert torch.equal(weights["layer1.retrodiction"], weights["layer1.prediction"].T)


def test_minibatches_go_through_all_images_and_never_pair_an_image_with_itself():
    seen = [batch_indices(3, 50, 16, step) for step in range(6)]
    for start in (0, 3):
        chosen = {image for part in seen[start : start + 3] for image in part.tolist()}
        assert len(chosen) == 48
    trainer = BatchTrainer(settings(), load_shipped(), initial_weights(settings()), None)
    for step in range(50):
        draw = trainer._draw(step)
        assert torch.equal(draw.origin == torch.arange(16), draw.y > 0)


def test_augmentation_crops_and_flips():
    values = {"data": {"dataset": "stl10", "crop": 64, "patch": 16, "stride": 8, "augment": True}}
    config = read_experiment(values, "test").data
    images = torch.arange(96 * 96).view(1, 96, 96).expand(40, -1, -1).numpy()
    crops = augmented(images, config, *augmentation(config, 96, np.random.default_rng(0), 40))
    assert crops.shape == (40, 64, 64)
    flipped = crops[:, 0, 0] > crops[:, 0, 1]
    assert 5 < flipped.sum() < 35
    assert len(set(crops[:, 0].min(1).tolist())) > 20


def test_an_exploding_loss_is_stopped_with_a_sentence(tmp_path):
    for mode, name in (("online", "sgd_rate"), ("batch", "adam_rate")):
        experiment = settings("rate", mode, steps=500, **{name: 1e30})
        with pytest.raises(InputError, match=rf"the loss of layer \d became .* lower {name}"):
            train(experiment, tmp_path / "model.pt")
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 5}, r"train\.seed = 0, not 5"),
        ({"adam_rate": 0.5}, r"train\.adam_rate = 0\.001, not 0\.5"),
        ({"steps": 3}, "at step 10 already, beyond 3"),
    ],
)
def test_resuming_something_else_is_refused(change, message, tmp_path):
    path = tmp_path / "model.pt"
    train(settings(steps=10), path)
    with pytest.raises(InputError, match=message):
        train(with_training(settings(steps=10), **change), path, resume=path)


def test_resuming_without_its_state_is_refused(tmp_path):
    for mode, missing in (("online", "before.layer1.x"), ("batch", "adam.layer1.forward.exp_avg")):
        path = tmp_path / f"{mode}.pt"
        train(settings(mode=mode, steps=10), path)
        old = load_checkpoint(path)
        resume = {name: t for name, t in old.resume.items() if name != missing}
        fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
        save_checkpoint(path, type(old)(**{**fields, "resume": resume}))
        with pytest.raises(InputError, match=f"cannot be resumed: its '{missing}'"):
            train(settings(mode=mode, steps=20), path, resume=path)


def test_resuming_on_other_images_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    train(settings(steps=5), path)
    old = load_checkpoint(path)
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
    save_checkpoint(path, type(old)(**{**fields, "data": {**old.data, "images": 60000}}))
    with pytest.raises(InputError, match="trained on 60000 images"):
        train(None, path, resume=path)


def test_bad_requests(tmp_path):
    with pytest.raises(InputError, match="nothing to train"):
        train(None, tmp_path / "a.pt")
    with pytest.raises(InputError, match="there is no folder"):
        train(settings(), tmp_path / "none" / "a.pt")
    with pytest.raises(InputError, match="is a folder"):
        train(settings(), tmp_path)
    with pytest.raises(InputError, match="unknown device 'tpu'"):
        train(settings(), tmp_path / "a.pt", device="tpu")
    with pytest.raises(InputError, match="online training runs on the CPU"):
        train(settings(mode="online"), tmp_path / "a.pt", device="cuda")
    with pytest.raises(InputError, match="do not fill a minibatch of 400"):
        train(settings(batch_size=400), tmp_path / "a.pt")
    with pytest.raises(InputError, match="holds 3000 images, but 5000"):
        values = {"data": {"images": 5000}}
        train(read_experiment(values, "test"), tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []


def test_cuda_without_a_gpu_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA GPU"):
        train(settings(), tmp_path / "a.pt", device="cuda")


def test_a_second_interrupt_acts_at_once():
    before = signal.getsignal(signal.SIGINT)  # ignored, where the tests run in the background
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_in_another_thread(tmp_path):
    """Python delivers signals to the main thread only: no handler, but training works."""
    results = []
    worker = threading.Thread(
        target=lambda: results.append(train(settings(steps=3), tmp_path / "model.pt"))
    )
    worker.start()
    worker.join()
    assert results[0].step == 3


def test_tally_means():
    tally = Tally(1, 10)
    tally.add(0, 1.0, 0.0, 0.5)
    tally.add(0, 0.0, 1.0, 0.5)
    stretch = tally.take(12)
    assert (stretch.first, stretch.last) == (10, 12)
    assert (stretch.layers[0].loss, stretch.layers[0].gate, stretch.layers[0].rate) == (0.5,) * 3
    assert tally.take(12).layers[0].loss == 0


@pytest.mark.parametrize("mode", ["batch", "online"])
def test_a_layer_that_falls_silent_stops_the_run(mode, tmp_path, monkeypatch):
    monkeypatch.setattr("clapp_neuro.training.loop.FIXATIONS_TO_JUDGE", 1)
    experiment = settings(mode=mode, steps=10)
    encoder = experiment.encoder.model_copy(update={"threshold": 1000.0})
    experiment = experiment.model_copy(update={"encoder": encoder})
    with pytest.raises(InputError, match="layer 1 fell silent: no neuron was active in the steps"):
        train(experiment, tmp_path / "model.pt")


def test_a_layer_that_saturates_stops_the_run(tmp_path):
    experiment = settings(steps=10)
    encoder = experiment.encoder.model_copy(update={"threshold": 1e-9, "reset": "zero"})
    images = load_shipped()
    experiment = experiment.model_copy(update={"encoder": encoder})
    weights = {name: w.abs() for name, w in initial_weights(experiment).items()}
    path = tmp_path / "start.pt"
    train(
        experiment.model_copy(update={"train": experiment.train.model_copy(update={"steps": 0})}),
        path,
    )
    old = load_checkpoint(path)
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
    save_checkpoint(path, type(old)(**{**fields, "weights": weights}))
    assert len(images.train_images) == 3000
    with pytest.raises(InputError, match="layer 1 saturated: its neurons spiked in"):
        train(experiment, tmp_path / "model.pt", resume=path)


def test_the_tensorboard_log_holds_the_history(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train(settings(steps=6), tmp_path / "model.pt", tensorboard=tmp_path / "log")
    log = EventAccumulator(str(tmp_path / "log"))
    log.Reload()
    losses = [event.value for event in log.Scalars("loss/layer2")]
    assert losses == pytest.approx([stretch.layers[1].loss for stretch in result.history])
    assert set(log.Tags()["scalars"]) == {
        f"{name}/layer{layer}" for name in ("loss", "gate", "rate") for layer in (1, 2)
    }


def test_the_untrained_network_needs_no_data(tmp_path, monkeypatch):
    def nothing(*arguments):
        raise InputError("there are no images")

    monkeypatch.setattr("clapp_neuro.training.run.load_images", nothing)
    result = train(settings(method="random"), tmp_path / "model.pt")
    assert result.step == 0 and "not calibrated" in result.source
    assert load_checkpoint(tmp_path / "model.pt").calibration == {}
    with pytest.raises(InputError, match="no images"):
        train(settings(method="random"), tmp_path / "model.pt", data="somewhere")
    with pytest.raises(InputError, match="no images"):
        train(settings(), tmp_path / "model.pt")


def test_a_long_run_saves_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("clapp_neuro.training.loop.SECONDS_BETWEEN_SAVES", 0.0)
    path = tmp_path / "model.pt"
    steps = []

    def report(done, total, note):
        steps.append(load_checkpoint(path).step if path.exists() else 0)

    train(settings(steps=4), path, report=report)
    assert steps == [0, 1, 2, 3]


def test_compiled_training_is_the_same_to_float_error(tmp_path):
    values = settings("rate", steps=3).model_dump()
    for name, flag in (("plain", False), ("compiled", True)):
        values["train"]["compile"] = flag
        train(read_experiment(values, "test"), tmp_path / name)
    plain, compiled = (load_checkpoint(tmp_path / n).weights for n in ("plain", "compiled"))
    for name, weight in plain.items():
        torch.testing.assert_close(weight, compiled[name], rtol=0.05, atol=2e-4)
