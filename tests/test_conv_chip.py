"""A spiking convolutional checkpoint on the chip: compiled, run, verified, costed, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conv_network import conv_network

import clapp_neuro
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from clapp_neuro.cli import main
from clapp_neuro.config import with_settings
from clapp_neuro.data.fashion import load_shipped
from clapp_neuro.data.patches import image_inputs
from clapp_neuro.encoders import layers
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.verbs.sight import chip_features
from compiler.bundle import read_bundle, write_bundle
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.ir import Connection, LearningRule, Quantity, Term
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.soundness import fault
from compiler.targets import load_target

TARGET = load_target("loihi2-sim")


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code if isinstance(end.value.code, int) else 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small convolutions, both pooled, trained a little."""
    experiment = with_settings(
        clapp_neuro.load_preset("fashion-conv"),
        encoder={"neurons": "spiking", "layers": (8, 12), "pool": (1, 2)},
        train={"steps": 10, "batch_size": 8},
    )
    path = tmp_path_factory.mktemp("conv") / "model.pt"
    clapp_neuro.train(experiment, path)
    return path


@pytest.fixture(scope="module")
def bundle(model: Path) -> Path:
    assert call("compile", model, "--static", "--out", model.with_suffix(".clapp")) == 0
    return model.with_suffix(".clapp")


def test_learning_is_refused_with_the_remedy(model, capsys):
    assert call("compile", model, "--out", model.parent / "no.clapp") == 2
    said = capsys.readouterr().err
    assert "train.prediction_steps is 2" in said and "--static" in said
    assert not (model.parent / "no.clapp").exists()


def test_rate_convolutions_are_refused(model):
    made = load_checkpoint(model)
    rate = with_settings(made.experiment, encoder={"neurons": "rate"})
    with pytest.raises(InputError, match=r"encoder.neurons is 'rate'"):
        network_from_checkpoint(replace(made, experiment=rate), plastic=False)


def test_a_machine_without_graded_spikes_or_memory_in_somata_says_all(model, capsys):
    assert call("compile", model, "--static", "--target", "loihi1-sim") == 2
    said = capsys.readouterr().err
    assert "layer1.pool: needs a soma that remembers its first spike" in said
    assert "input: needs graded spikes" in said


def test_the_network_is_what_was_trained(model):
    made = load_checkpoint(model)
    network = network_from_checkpoint(made, plastic=False)
    shapes = {p.name: p.map for p in network.populations}
    assert shapes == {
        "input": (1, 16, 16), "layer1": (8, 16, 16), "layer1.pool": (8, 8, 8),
        "layer2": (12, 8, 8), "layer2.pool": (12, 4, 4),
    }  # fmt: skip
    assert [p.level for p in network.populations] == [0, 1, 2, 3, 4]
    for projection in network.projections:
        if projection.connection is Connection.CONVOLUTION:
            weights = torch.from_numpy(projection.weights)
            assert torch.equal(weights, made.weights[projection.name].double())
    bias = torch.tensor(network.population("layer2").bias)
    assert torch.equal(bias, made.weights["layer2.bias"])


def test_compile_says_where_limits_bind_and_what_the_bias_lost(model, bundle, tmp_path):
    report = tmp_path / "compile.json"
    assert call("compile", model, "--static", "--out", bundle, "--json", report) == 0
    written = json.loads(report.read_text())
    assert any("bias (error" in note["text"] for note in written["notes"])
    assert all(core["binds"] and core["share"] <= 1 for core in written["placement"]["cores"])


def test_run_reads_out_each_layer_once(bundle, tmp_path, monkeypatch):
    few = load_shipped()
    few = replace(few, test_images=few.test_images[:30], test_labels=few.test_labels[:30])
    monkeypatch.setattr("clapp_neuro.verbs.run.images_of", lambda program, data: few)
    seen = tmp_path / "run.json"
    arguments = ("--probe", "--train-images", 40, "--json", seen)
    assert call("run", bundle, "--images", 2, *arguments) == 0
    result = json.loads(seen.read_text())
    assert set(result["accuracy"]) == {"layer1", "layer2"}
    assert set(result["rates"]) == {"layer1", "layer1.pool", "layer2", "layer2.pool"}
    assert all(rate > 0 for rate in result["rates"].values())


def test_energy_counts_the_synapses_of_maps(bundle, tmp_path):
    cost = tmp_path / "energy.json"
    few = ("--images", 2, "--readout-images", 0)
    assert call("energy", bundle, *few, "--compare", "all", "--json", cost) == 0
    metrics = json.loads(cost.read_text())["neurobench"]
    # the input is latched: one operation a synapse; kernels do not reach beyond the border
    first, second = 8 * (3 * 16 - 2) ** 2, 12 * 8 * (3 * 8 - 2) ** 2
    pools = 8 * 16**2 + 12 * 8**2
    steps = 8
    assert metrics["synaptic_operations"]["Dense"] == first + steps * (second + pools)


def test_odd_maps_lose_their_last_row_as_in_the_reference(tmp_path):
    """14 pixels, pooled to 7, to 3, to 1."""
    experiment = with_settings(
        clapp_neuro.load_preset("fashion-conv"),
        data={"patch": 14, "stride": 7},
        encoder={"neurons": "spiking", "layers": (4, 6, 5), "pool": (1, 2, 3)},
    )
    path = tmp_path / "odd.pt"
    save_checkpoint(path, Checkpoint(experiment, 0, initial_weights(experiment)))
    done = clapp_neuro.compile(path, static=True)
    assert done.compiled.program.population("layer3.pool").map == (5, 1, 1)
    assert clapp_neuro.verify(done.path, against="reference", fixations=30).equal


@pytest.mark.parametrize("against", ["lava", "reference"])
def test_verify(bundle, against):
    assert call("verify", bundle, "--against", against, "--fixations", 2) == 0


def test_a_reference_with_another_winner_is_found_different(bundle, monkeypatch):
    def most_spikes(fired):
        return F.max_pool2d(fired.mean(0), 2, return_indices=True)[1]

    monkeypatch.setattr(layers, "first_to_spike", most_spikes)
    found = clapp_neuro.verify(bundle, against="reference", fixations=5)
    assert not found.equal
    assert min(a["correlation"] for a in found.agreement.values()) < 0.99


def test_compiling_keeps_what_the_features_say(model, bundle):
    """Counts on the chip beside the float network with its own float weights."""
    made, (program, _) = load_checkpoint(model), read_bundle(bundle)
    images = load_shipped()
    train, test = images.train_images[:200], images.test_images[:200]
    found, expected = [], []
    for seen in (train, test):
        features = chip_features(program, seen)
        found.append([features["layer1"] / 8, features["layer2"] / 8])
        inputs = torch.from_numpy(image_inputs(seen, made.experiment.data))
        z = activities(made.weights, inputs.flatten(0, 1), made.experiment)
        positions = inputs.shape[1]
        expected.append([x.unflatten(0, (-1, positions)).mean(1).numpy() for x in z])
    for layer in range(2):
        for ours, theirs in zip(found, expected, strict=True):
            assert np.corrcoef(ours[layer].ravel(), theirs[layer].ravel())[0, 1] > 0.995
        ours, theirs = (
            logistic_readout(x[0][layer], images.train_labels[:200], x[1][layer],
                             images.test_labels[:200])
            for x in (found, expected)
        )  # fmt: skip
        assert abs(ours - theirs) < 0.06


def test_a_program_of_maps_makes_the_round_trip(tmp_path):
    program = compile_network(conv_network((5, 7), (2, 3, 4), (1,)), TARGET).program
    path = write_bundle(tmp_path / "a.clapp", program)
    read, _ = read_bundle(path)
    assert read == program
    assert write_bundle(tmp_path / "b.clapp", read).read_bytes() == path.read_bytes()


def test_a_truncated_bundle_is_refused(bundle, tmp_path):
    whole = bundle.read_bytes()
    for share in (0, 0.01, 0.5, 0.99):
        cut = tmp_path / "cut.clapp"
        cut.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=r"cut.clapp"):
            read_bundle(cut)


def whole_program() -> Program:
    return compile_network(conv_network((4, 4), (1, 2, 3), (1,)), TARGET).program


def with_synapses(index: int, **changes: object) -> Program:
    program = whole_program()
    synapses = list(program.synapses)
    synapses[index] = replace(synapses[index], **changes)
    return replace(program, synapses=tuple(synapses))


def with_population(index: int, **changes: object) -> Program:
    program = whole_program()
    populations = list(program.populations)
    populations[index] = replace(populations[index], **changes)
    return replace(program, populations=tuple(populations))


@pytest.mark.parametrize(
    ("words", "build"),
    [
        ("neurons in a map", lambda: with_population(1, shape=(2, 4, 5))),
        ("a side of its map", lambda: with_population(1, shape=(-2, -4, 4))),
        ("does not fit the maps", lambda: with_synapses(0, weights=np.zeros((2, 1, 2, 2), "i1"))),
        ("does not have the shape", lambda: with_synapses(2, weights=np.zeros((3, 1, 3, 3), "i1"))),
        ("not those of its pool", lambda: with_synapses(1, weights=np.ones((2, 2), "i1"))),
        ("does not have the shape", lambda: with_synapses(1, connection=Connection.ALL_TO_ALL)),
        (
            "does not relay one pool",
            lambda: with_synapses(
                1, connection=Connection.ALL_TO_ALL, weights=np.ones((8, 32), "i1")
            ),
        ),
        ("a pool ends on layer1.pool", lambda: with_population(2, soma=None)),
        (
            "values of bias for 2 channels",
            lambda: with_population(
                1, soma=replace(whole_program().populations[1].soma, bias=(1, 2, 3))
            ),
        ),
        (
            ": bias is",
            lambda: with_population(
                1, soma=replace(whole_program().populations[1].soma, bias=(1 << 30, 0))
            ),
        ),
        (
            "sends a graded message to layer1, which does not hold it",
            lambda: with_population(
                1, soma=replace(whole_program().populations[1].soma, latched=False)
            ),
        ),
    ],
)
def test_what_no_engine_could_execute_is_named(words: str, build: Callable[[], Program]) -> None:
    assert fault(whole_program()) is None
    found = fault(build())
    assert found is not None and words in found


def test_a_pool_that_learns_is_refused_by_the_compiler():
    network = conv_network((4, 4), (1, 2), (1,))
    rule = LearningRule("hebb", (Term(0.01, Quantity.COUNT, (Quantity.COUNT,)),))
    kernels, pool = network.projections
    plastic = replace(network, projections=(kernels, replace(pool, rule=rule)))
    with pytest.raises(
        InputError, match=r"layer1.pool: a pool has no synapses of its own.*--static"
    ):
        compile_network(plastic, TARGET)
