"""What the compiler refuses says everything at once, and what it assumes is noted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from compiled_program import network
from narrow_target import loihi2_with

from clapp_neuro.errors import InputError
from compiler.bundle import read_bundle, write_bundle
from compiler.ir import Network
from compiler.passes.lowering.consolidation import CARRY
from compiler.pipeline import compile_network
from compiler.targets import load_target


@pytest.mark.parametrize(("bits", "short"), [(0, 8), (1, 7), (2, 6), (6, 2), (7, 1)])
def test_a_tag_too_narrow_for_a_carried_unit_is_refused(bits: int, short: int) -> None:
    with pytest.raises(InputError, match=f"layer1.forward: tag 8 exceeds .* by {short}; use a"):
        compile_network(network(), loihi2_with(tag_bits=bits), consolidation=CARRY)
    rules = [
        s.rule for s in compile_network(network(), loihi2_with(tag_bits=bits)).program.synapses
    ]
    assert any(rules)
    assert not any(rule.dt for rule in rules if rule is not None)  # unless it may do without


@pytest.mark.parametrize("bits", [0, 1, 2, 6])
def test_a_static_network_needs_no_tags(bits: int, tmp_path: Path) -> None:
    compiled = compile_network(network(plastic=False), loihi2_with(tag_bits=bits))
    path = write_bundle(tmp_path / "static.clapp", compiled.program)
    assert read_bundle(path)[0] == compiled.program


@pytest.mark.parametrize("bits", [8, 9, 16])
def test_tags_that_hold_a_carried_unit_survive_the_reader(bits: int, tmp_path: Path) -> None:
    program = compile_network(network(), loihi2_with(tag_bits=bits)).program
    assert program.tag_max == 2 ** (min(bits, 9) - 1) - 1
    assert read_bundle(write_bundle(tmp_path / "narrow.clapp", program))[0] == program


def test_limits_before_and_after_lowering_come_together() -> None:
    target = loihi2_with(tag_bits=6, trace_bits=3, fan_in_per_neuron=20, chips=0, post_registers=1)
    with pytest.raises(InputError) as refused:
        compile_network(network(), target, consolidation=CARRY)
    for words in ("tag 8", "trace x1 7", "fan-in", "chips", "post registers 3"):
        assert words in str(refused.value)


def test_what_stops_the_lowering_is_listed_beside_the_limits() -> None:
    with pytest.raises(InputError, match=r"(?s)fan-in .*must fit 7-bit traces"):
        compile_network(network(steps=128), loihi2_with(fan_in_per_neuron=20))


def scaled(part: str, factor: float) -> Network:
    """The CLAPP network with some weights multiplied by `factor`."""
    source = network()
    projections = (
        replace(p, weights=p.weights * factor) if part in p.name else p for p in source.projections
    )
    return replace(source, projections=tuple(projections))


@pytest.mark.parametrize("factor", [1e12, 1e30, 1e300])
@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("forward", "projection layer1.forward: its weights are too large for its learning rate"),
        ("prediction", "projection layer1.forward: its rule reads the apical of layer1"),
        ("retrodiction", "projection layer1.forward: its rule reads the retro of layer1"),
    ],
)
def test_huge_weights_are_refused_with_projection_and_remedy(
    part: str, factor: float, words: str
) -> None:
    with pytest.raises(InputError, match=f"{words}.*; make .* by a factor of"):
        compile_network(scaled(part, factor), load_target("loihi2-sim"))


@pytest.mark.parametrize("part", ["layer1.forward", "layer1.prediction", "layer1.retrodiction"])
def test_the_factor_of_the_refusal_is_what_makes_it_fit(part: str) -> None:
    target = load_target("loihi2-sim")
    with pytest.raises(InputError) as refused:
        compile_network(scaled(part, 1e12), target)
    factor = float(str(refused.value).rsplit(" ", 1)[1])
    assert factor > 10
    compile_network(scaled(part, 1e12 / factor / 2), target)
    with pytest.raises(InputError):
        compile_network(scaled(part, 1e12 / factor * 8), target)


def test_post_values_whose_scale_was_not_measured_are_noted() -> None:
    source, target = network((12, 8)), load_target("loihi2-sim")

    def assumed(measured: dict[str, float]) -> set[str]:
        notes = compile_network(replace(source, calibration=measured), target).notes
        texts = [n.text for n in notes if n.stage == "learning" and "is assumed" in n.text]
        return {text.split(":")[0].rsplit(" ", 1)[1] for text in texts}

    assert assumed({}) == {"layer1.apical_max", "layer1.retro_max"}
    assert assumed({"layer1.apical_max": 0.0}) == {"layer1.retro_max"}
    assert assumed({"layer1.apical_max": 2.0, "layer1.retro_max": 0.5}) == set()
    static = compile_network(network(plastic=False), target)
    assert not [n for n in static.notes if "is assumed" in n.text]
