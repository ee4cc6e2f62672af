"""LPL and ESPP from checkpoint to chip: commands, the float reference, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compiled_program import network
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import call

import clapp_neuro
from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.errors import InputError
from clapp_neuro.rules.espp import THRESHOLD_LEFT, THRESHOLD_STAYS
from compiler.bundle import read_bundle, write_bundle
from compiler.design_rules.checks import check
from compiler.ir import LearningRule, Modulator, Network, Quantity, Term
from compiler.pipeline import compile_network
from compiler.targets import load_target

METHODS = ("espp", "lpl")
CORRELATION = 0.95  # measured: 0.985 to 0.993
LOIHI2 = load_target("loihi2-sim")


@pytest.fixture(scope="module", params=METHODS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that learned online from real images for a moment."""
    path = tmp_path_factory.mktemp(request.param) / "model.pt"
    settings = {"method": request.param, "mode": "online", "steps": 20, "weight_decay": 0.0}
    preset = clapp_neuro.load_preset("fashion-dense")
    small = clapp_neuro.with_settings(preset, data={}, encoder={"layers": (48, 32)}, train=settings)
    clapp_neuro.train(small, path)
    return path


def test_the_commands(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, learned, again = (tmp_path / f"{n}.clapp" for n in ("m", "learned", "again"))
    report = tmp_path / "report.json"
    assert call("compile", model, "--out", bundle, "--json", report) == 0
    examples = json.loads(report.read_text())["examples"]
    assert [e["projection"] for e in examples] == ["layer1.forward", "layer2.forward"]
    assert all(0.8 < e["matrix"] < 1.1 and e["expected"] != 0 for e in examples)
    shown = capsys.readouterr().out
    assert "worked example" in shown and "expected ΔW" in shown
    assert call("run", bundle, "--learn", "--images", 20, "--out", learned, "--json", report) == 0
    values = json.loads(report.read_text())
    assert values["fixations"] == 180
    gated = load_checkpoint(model).experiment.train.method == "espp"
    assert list(values["loss"]) == (["layer1", "layer2"] if gated else [])
    first, second = read_bundle(bundle)[0], read_bundle(learned)[0]
    assert first.synapses[0] != second.synapses[0]
    averaging = [p.averages is not None for p in first.populations]
    assert averaging == [False, not gated, not gated]
    assert (first.populations == second.populations) == gated  # averages go on, too
    assert call("run", learned, "--learn", "--images", 2, "--out", again) == 0
    assert call("verify", learned, "--learn", "--fixations", 4) == 0
    assert call("energy", learned, "--images", 2, "--readout-images", 0) == 0


def test_the_chip_learns_what_the_float_reference_does(model: Path) -> None:
    """Changes of all weights after 600 fixations, from the same weights, of the same gaze."""
    clapp_neuro.compile(model)
    bundle = model.with_suffix(".clapp")
    result = clapp_neuro.verify(bundle, against="reference", learn=True, fixations=600)
    assert result.equal
    changes = {k: v for k, v in result.agreement.items() if k.endswith("change")}
    assert changes.keys() == {"layer1.forward change", "layer2.forward change"}
    assert all(v["correlation"] > CORRELATION for v in changes.values()), changes


def test_an_interrupted_run_goes_on_to_the_bit(model: Path, tmp_path: Path) -> None:
    from clapp_neuro.verbs.sight import gaze, images_of
    from compiler.backends.simulator import simulate
    from compiler.bundle import read_unfinished
    from compiler.unfinished import Unfinished

    clapp_neuro.compile(model, out=tmp_path / "m.clapp")
    program, _ = read_bundle(tmp_path / "m.clapp")
    seen = gaze(program, images_of(program, None), 90, seed=0)
    whole, part = simulate(program, seen), simulate(program, seen.part(0, 40))
    run = Unfinished(0, 90, part.state)
    path = write_bundle(tmp_path / "part.clapp", part.program, unfinished=run)
    assert np.array_equal(read_unfinished(path).state.fields, part.state.fields)
    assert call("run", path, "--resume", "--out", tmp_path / "end.clapp") == 0
    assert read_bundle(tmp_path / "end.clapp")[0] == whole.program


@given(st.floats(0.05, 4), st.integers(2, 127))
@settings(max_examples=30, deadline=None)
def test_margins_of_a_normed_gate_are_the_thresholds(margin: float, steps: int) -> None:
    """θ₊ is the margin, θ₋ half of it; a score is counted in 1/(2^8 T)."""
    source = network((9, 6), steps, method="espp")
    comparators = tuple(
        replace(c, margin=margin, left=-THRESHOLD_LEFT / THRESHOLD_STAYS * margin)
        for c in source.comparators
    )
    (gate,) = compile_network(replace(source, comparators=comparators), LOIHI2).program.gates
    stays, left = gate.margins
    assert abs(stays / (256 * steps) - margin) <= 0.5 / (256 * steps) + 1e-12
    assert abs(left / (256 * steps) + margin / 2) <= 0.5 / (256 * steps) + 1e-12


def lacking(**changes: int | bool):
    """Loihi 2 without something: limits as numbers, capabilities as False."""
    machine = LOIHI2.machine
    limits, able = {}, {}
    for name, value in changes.items():
        part, found = (able, machine.capabilities) if value is False else (limits, machine.limits)
        update = {"value": value} if value is False else {"value": value, "low": 0}
        part[name] = getattr(found, name).model_copy(update=update)
    update = {
        "limits": machine.limits.model_copy(update=limits),
        "capabilities": machine.capabilities.model_copy(update=able),
    }
    return replace(LOIHI2, machine=machine.model_copy(update=update))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ({"learning_epoch": 0}, "layer1.forward: learning epoch"),
        ({"post_registers": 0}, "layer1: post registers"),
        ({"learning": False}, "layer1.forward: needs plastic synapses"),
        ({"graded_spikes": False}, "needs graded spikes"),
        ({"third_factor": False}, "layer1: needs a third factor"),
        ({"programmable_soma": False}, "needs a soma that"),
    ],
)
def test_what_a_target_lacks_is_named(method: str, lacks: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        compile_network(network(method=method), lacking(**lacks))


def test_somata_that_cannot_divide_are_named() -> None:
    fixed = lacking(programmable_soma=False)
    for method, node, words in (
        ("espp", "layer1.gate", "a soma that takes a root and divides"),
        ("lpl", "layer1", "a soma that averages and divides"),
    ):
        program = compile_network(network(method=method), LOIHI2).program
        assert (node, words) in {(v.node, v.limit) for v in check(program, fixed)}


def with_rule(term: Term) -> Network:
    plain = network((9, 6), plastic=False)
    (projection,) = plain.projections
    learning = replace(projection, rule=LearningRule("x", (term,)))
    return replace(plain, projections=(learning,), modulators=(Modulator("reward"),))


def test_a_deviation_without_averages_is_refused() -> None:
    term = Term(2**-10, Quantity.COUNT, (Quantity.DEVIATION,))
    with pytest.raises(InputError, match="layer1 reads its deviation, but it keeps no averages"):
        compile_network(with_rule(term), LOIHI2)


def test_a_norm_of_what_is_no_count_is_refused() -> None:
    source = network(method="espp")
    comparators = tuple(replace(c, norm=Quantity.SURROGATE) for c in source.comparators)
    with pytest.raises(InputError, match=r"layer1.gate: it can form the norm of counts, not of"):
        compile_network(replace(source, comparators=comparators), LOIHI2)


@pytest.mark.parametrize(("what", "value"), [("mean", -0.1), ("variance", 1.5)])
def test_averages_of_no_activity_are_refused(what: str, value: float) -> None:
    source = network((9, 6), method="lpl")
    *others, layer = source.populations
    assert layer.averages is not None
    wrong = getattr(layer.averages, what).copy()
    wrong[2] = value
    layer = replace(layer, averages=replace(layer.averages, **{what: wrong}))
    with pytest.raises(InputError, match=f"running {what} .* one is {value:g}"):
        compile_network(replace(source, populations=(*others, layer)), LOIHI2)
