"""What random networks have found, made small: engines agree now, or it is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plastic_maps
import pytest
import test_lower_traces as lower_traces
from compiled_program import compiled, network
from conv_network import conv_network
from fuzz.agreement import difference
from fuzz.cases import Case
from narrow_target import loihi2_with
from readout_program import readout_network

from clapp_neuro.errors import InputError
from compiler.backends import tensor
from compiler.bundle import read_bundle, write_bundle
from compiler.ir import Compartment, Network, Projection
from compiler.passes.lowering.consolidation import Consolidation
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.trace import Stimulus

TARGET = load_target("loihi2-sim")
ENGINES = ("tensor", "lava")


def shown(program: Program, fixations: int, seed: int = 0) -> Stimulus:
    random = np.random.default_rng(seed)
    seen = random.integers(0, 256, (fixations, program.populations[0].size)).astype(np.uint8)
    labels = random.choice([-1, 1], fixations).astype(np.int8)
    return Stimulus({"input": seen}, dict.fromkeys(program.modulators, labels))


def case(program: Program, fixations: int = 3) -> Case:
    assert fault(program) is None
    return Case(program, shown(program, fixations), learn=True, split=1)


@pytest.mark.parametrize("against", ENGINES)
def test_a_static_network_of_one_step_with_learning_on(against: str) -> None:
    """Its last step but one lies before the fixation begins."""
    assert difference(against, case(compiled((1, 1), steps=1, plastic=False))) is None


def gated_by(source: Network, gate: str) -> Network:
    projections = []
    for p in source.projections:
        if p.rule is not None:
            terms = tuple(replace(t, gate=gate) for t in p.rule.terms)
            p = replace(p, rule=replace(p.rule, terms=terms))
        projections.append(p)
    return replace(source, projections=tuple(projections))


@pytest.mark.parametrize("gate", ["layer1.gate", "layer2.gate"])
@pytest.mark.parametrize("against", ENGINES)
def test_one_gate_teaches_all_layers(gate: str, against: str) -> None:
    """The gate of a later layer comes later: the timetable waits for it."""
    source = gated_by(network((9, 6, 5), method="clapp", rate=2**-6), gate)
    program = compile_network(source, TARGET, seed=3).program
    ran = tensor.simulate([program], [shown(program, 6)])[0]
    assert ran.gates.any() and ran.program != program
    assert difference(against, case(program, 6)) is None


def test_a_population_and_what_ends_on_it_of_one_name() -> None:
    program = compile_network(conv_network((4, 4), (1, 2), (1,), gain=9.0), TARGET).program
    assert {p.name for p in program.populations} & {s.name for s in program.synapses}
    assert difference("tensor", case(program)) is None


def test_a_margin_beyond_the_score(tmp_path: Path) -> None:
    """Compiled before, and then not readable from its own file."""
    source = network((1, 1), steps=127, rate=2**-12)
    far = tuple(replace(c, margin=200.0) for c in source.comparators)
    program = compile_network(replace(source, comparators=far), TARGET).program
    write_bundle(tmp_path / "far.clapp", program)
    assert read_bundle(tmp_path / "far.clapp")[0] == program
    beyond = tuple(replace(c, margin=1e12) for c in source.comparators)
    with pytest.raises(InputError, match=r"layer1.gate: the margin .* smaller by a factor of"):
        compile_network(replace(source, comparators=beyond), TARGET)


def recurrent() -> Network:
    source = network((4, 3), plastic=False)
    loop = Projection("loop", "layer1", "layer1", Compartment.SOMA, np.ones((3, 3)))
    return replace(source, projections=(*source.projections, loop))


def skipping() -> Network:
    source = network((4, 3, 2), plastic=False)
    skip = Projection("skip", "input", "layer2", Compartment.SOMA, np.ones((2, 4)))
    return replace(source, projections=(*source.projections, skip))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (recurrent, "loop goes from level 1 to level 1 with a delay of 0"),
        (skipping, "skip brings intensities from level 0 to level 2 .* they climb one level"),
    ],
)
def test_recurrence_and_short_cuts_are_refused(source, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compile_network(source(), TARGET)


@pytest.mark.parametrize("kind", ["transfer", "direct"])
def test_a_readout_beside_what_no_engine_executes_with_it(kind: str) -> None:
    """Compiled before, and then not readable from its own file."""
    with pytest.raises(InputError, match="population readout is not one of those; use 'pair'"):
        compile_network(readout_network(), TARGET, consolidation=Consolidation(kind))


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_kernels_learn_in_turn_in_weights_of_few_bits(bits: int) -> None:
    """What rounding left to the tags, counted 64 times finer, was beyond what they hold."""
    source = plastic_maps.network(layers=(2,), pool=(), patch=3, rate=2**-6)
    target = loihi2_with(weight_bits=bits)
    program = compile_network(source, target, averaged=1, sequential=True).program
    assert all(s.fine <= bits - 2 for s in program.synapses if s.in_turn)
    assert difference("tensor", case(program, 6)) is None
    assert difference("plain", case(program, 6)) is None


@pytest.mark.parametrize("layers", [(2, 2), (1, 2, 1)])
def test_a_map_of_one_position_sends_one_message_a_step(layers: tuple[int, ...]) -> None:
    """Of kernels of one entry that learn in turn: the next layer's traces met its post values."""
    source = plastic_maps.network(layers=layers, pool=(), patch=1, rate=2**-10)
    source = plastic_maps.with_kernels(source, 1)
    program = compile_network(source, TARGET, averaged=1, sequential=True).program
    for against in ("tensor", "plain"):
        assert difference(against, case(program, 6)) is None


def test_a_dendrite_that_adds_up_spikes_shifts_nothing() -> None:
    """Lava shifted each spike's sum, simulator and tensors all of them together."""
    program = lower_traces.compiled((5, 5))
    shifted = replace(
        program,
        synapses=tuple(
            replace(s, delivery_shift=16) if s.compartment is Compartment.APICAL else s
            for s in program.synapses
        ),
    )
    assert fault(program) is None
    assert "adds up spikes" in (fault(shifted) or "")
