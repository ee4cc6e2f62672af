"""The worked example: near the rule in real numbers, and far from it where a lowering is wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import plastic_maps
import pytest
from compiled_program import network

from compiler.ir import Comparator, Compartment, Network, Quantity
from compiler.pipeline import compile_network
from compiler.program import Program, ProgramPopulation
from compiler.real_numbers.rule import Values, gate
from compiler.targets import load_target
from compiler.worked_examples.row import DRAWS, Example
from compiler.worked_examples.rules import unshown, worked_example

METHODS = ("clapp", "espp", "lpl")
# so that nothing is clipped, not even where post values are doubled
PEAKS = {"apical_max": 16.0, "retro_max": 16.0, "deviation_max": 64.0}
MEASURED = {f"layer{n}.{name}": peak for n in (1, 2) for name, peak in PEAKS.items()}
NETWORKS = {
    m: replace(network((40, 24, 20), 8, method=m, rate=2**-13, seed=5), calibration=MEASURED)
    for m in METHODS
}
TARGET = load_target("loihi2-sim")
PROGRAMS = {m: compile_network(source, TARGET).program for m, source in NETWORKS.items()}


def found(method: str, program: Program) -> dict[str, Example]:
    return {e.projection: e for e in worked_example(NETWORKS[method], program)}


@pytest.mark.parametrize("method", METHODS)
def test_the_chip_does_what_the_rule_says(method: str) -> None:
    examples = found(method, PROGRAMS[method])
    plastic = [s.name for s in PROGRAMS[method].synapses if s.rule is not None]
    assert list(examples) == plastic
    for name, example in examples.items():
        assert example.matrix is not None, f"{name} learns nothing in the example"
        assert DRAWS[0] <= example.draws <= DRAWS[1]
        # an input's trace is the upper four bits of its intensity: 7.5 of 127.5 less, on average
        from_input = name == "layer1.forward"
        assert 0.85 < example.matrix < 1.02 if from_input else 0.93 < example.matrix < 1.07
        lost = 0.15 * abs(example.expected) if from_input else 0.0
        room = 5 * example.error + lost + 0.01 * abs(example.expected)
        assert abs(example.executed - example.expected) <= room
        assert len(example.row()) == 5 and example.to_json()["projection"] == name


def spoiled(program: Program, layer: str, factor: int) -> Program:
    """The program with the post values of a layer multiplied."""

    def changed(p: ProgramPopulation) -> ProgramPopulation:
        values = (replace(v, multiplier=factor * v.multiplier) for v in p.post_values)
        return replace(p, post_values=tuple(values)) if p.name == layer else p

    return replace(program, populations=tuple(changed(p) for p in program.populations))


@pytest.mark.parametrize(("method", "layer"), list(product(METHODS, ("layer1", "layer2"))))
def test_a_wrong_lowering_shows(method: str, layer: str) -> None:
    for factor, (low, high) in {2: (1.6, 2.3), -1: (-1.1, -0.8)}.items():
        examples = found(method, spoiled(PROGRAMS[method], layer, factor))
        for name, example in examples.items():
            assert example.matrix is not None
            wrong = low < example.matrix < high
            assert wrong == name.startswith(layer), f"{name}: {example.matrix}"


@pytest.mark.parametrize("method", METHODS)
def test_clipped_post_values_are_told(method: str) -> None:
    examples = found(method, spoiled(PROGRAMS[method], "layer2", 1000))
    for name, example in examples.items():
        assert (example.clipped > 0) == name.startswith("layer2")
        assert ("clipped" in example.row()[-1]) == name.startswith("layer2")


def test_a_static_program_has_no_example() -> None:
    source = network(plastic=False)
    assert worked_example(source, compile_network(source, TARGET).program) == ()


def part_of(source: Network, program: Program, most: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The examples of a large program are those of its lower part, each what it was."""
    whole = {e.projection: e for e in worked_example(source, program)}
    monkeypatch.setattr("compiler.worked_examples.rules.LARGEST", most)
    parts = {e.projection: e for e in worked_example(source, program)}
    for name, example in parts.items():
        assert example.synapse == whole[name].synapse
        assert example.expected == pytest.approx(whole[name].expected)
    assert parts.keys() < whole.keys()
    return unshown(program)


@pytest.mark.parametrize("method", METHODS)
def test_of_a_large_network_the_lower_part_is_shown(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = PROGRAMS[method]
    below = sum(s.weights.size for s in program.synapses if s.target == "layer1")
    told = part_of(NETWORKS[method], program, below, monkeypatch)
    shown, learning = (
        sum(s.rule is not None and s.target in layers for s in program.synapses)
        for layers in (("layer1",), ("layer1", "layer2"))
    )
    assert told.startswith(f"of the lowest {shown} of {learning} projections that learn: ")
    assert f"more than {below:,}" in told
    monkeypatch.setattr("compiler.worked_examples.rules.LARGEST", below - 1)
    assert worked_example(NETWORKS[method], program) == ()
    assert unshown(program).startswith("left out: ")


def test_a_layer_of_a_map_is_shown_whole_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its means and winners tell it what to learn, from two levels above."""
    source = plastic_maps.network(rate=2**-12)
    program = compile_network(source, TARGET).program
    sizes = {s.name: s.weights.size for s in program.synapses}
    below = sum(size for name, size in sizes.items() if name.startswith("layer1"))
    told = part_of(source, program, below + sizes["layer2.forward"], monkeypatch)
    assert told.startswith("of the lowest 3 of 6 projections that learn: ")


def test_a_gate_from_above_leaves_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    source = NETWORKS["clapp"]
    last = source.comparators[-1].name
    gated = tuple(
        p
        if p.rule is None
        else replace(
            p, rule=replace(p.rule, terms=tuple(replace(t, gate=last) for t in p.rule.terms))
        )
        for p in source.projections
    )
    source = replace(source, projections=gated)
    program = compile_network(source, TARGET).program
    monkeypatch.setattr("compiler.worked_examples.rules.LARGEST", 2500)
    assert worked_example(source, program) == () and unshown(program).startswith("left out: ")


def test_where_nothing_is_learned_the_row_says_so() -> None:
    source = network((6, 4), method="espp")
    (forward,) = source.projections
    assert forward.compartment is Compartment.SOMA
    silent = replace(source, projections=(replace(forward, weights=np.zeros((4, 6))),))
    (example,) = worked_example(silent, compile_network(silent, TARGET).program)
    assert (example.matrix, example.expected, example.executed) == (None, 0, 0)
    assert example.row()[-1] == "gate closed or silent"


@pytest.mark.parametrize(
    ("y", "z", "opened"),
    [
        (1, (0.9, 0.0), True),  # u = 0.54 below 1
        (1, (1.0, 1.0), False),  # u = 1.4
        (-1, (0.9, 0.0), True),  # above 0.5
        (-1, (0.5, 0.0), False),  # u = 0.3
        (0, (0.9, 0.0), False),
    ],
)
def test_a_normed_gate_in_real_numbers(y: int, z: tuple[float, float], opened: bool) -> None:
    comparator = Comparator(
        *("g", "layer", "saccade", 1.0),
        score=(Quantity.COUNT, Quantity.PREVIOUS_COUNT),
        left=-0.5,
        norm=Quantity.PREVIOUS_COUNT,
    )
    c = np.array([0.3, 0.4])
    values: Values = {Quantity.COUNT: np.array(z), Quantity.PREVIOUS_COUNT: c}
    assert gate(comparator, values, y) == pytest.approx(y / 0.5 if opened else 0.0)
