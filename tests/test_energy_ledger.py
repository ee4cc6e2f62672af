"""Counts by hand: hops, the slowest core, forms of synapses; and coefficients that derive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compiled_program import compiled, stimulus

from clapp_neuro.errors import InputError
from compiler.backends.simulator import infer, simulate
from compiler.energy import Band, Coefficients, Ledger, NotPublished, estimate, ledgers
from compiler.energy.duration import duration
from compiler.energy.estimate import lines_of
from compiler.events import Events, traffic
from compiler.ir import Compartment, Network, Neuron, Population, Projection, Schedule
from compiler.passes.placing.place import place
from compiler.passes.placing.placement import Placement
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import NeuromorphicMachine, load_machine, load_target
from compiler.targets.figures import Derived, Missing

LOIHI = load_target("loihi1-sim").machine


def one_layer_a_core(program: Program) -> tuple[Placement, NeuromorphicMachine]:
    """A machine on which each layer of 16 and of 12 neurons has a core of its own."""
    machine = load_target("loihi2-sim").machine
    neurons = machine.limits.neurons_per_core.model_copy(update={"value": 17})
    limits = machine.limits.model_copy(update={"neurons_per_core": neurons})
    small = machine.model_copy(update={"limits": limits})
    return place(program, small), small


@pytest.fixture(scope="module")
def static() -> tuple[Program, Events]:
    program = compiled((20, 16, 12), plastic=False)
    return program, infer(program, stimulus(program, 30))[1]


def test_hops_are_columns_and_rows_between_cores(static):
    program, events = static
    placement, machine = one_layer_a_core(program)
    at = {s.population: core.index for core in placement.cores for s in core.slices}
    spots = {at["layer1"]: (2, 1), at["layer2"]: (7, 3)}
    moved = replace(
        placement,
        cores=tuple(
            replace(core, column=spots[core.index][0], row=spots[core.index][1])
            for core in placement.cores
        ),
    )
    forward, learning = traffic(events, moved, machine.routing)
    sent = {s.source: s.forward_messages for s in events.projections}
    assert sent["input"] > 0 and sent["layer1"] > 0
    assert forward.east_west == sent["input"] * 2 + sent["layer1"] * 5
    assert forward.north_south == sent["input"] * 1 + sent["layer1"] * 2
    assert forward.longest == (5, 2) and forward.chip_crossings == 0
    assert forward.host_messages == sent["input"]
    assert learning.east_west == learning.axons_in.sum() == 0
    one_chip_on = replace(moved, cores=tuple(replace(c, chip=c.index) for c in moved.cores))
    crossed = traffic(events, one_chip_on, machine.routing)[0].chip_crossings
    away = {core.index: core.chip for core in one_chip_on.cores}
    first, second = away[at["layer1"]], away[at["layer2"]]
    assert crossed == sent["input"] * first + sent["layer1"] * abs(first - second)


def test_every_core_waits_for_the_slowest_at_each_barrier():
    coefficients = Coefficients(LOIHI)
    busy = {"synaptic_operation_dense": 1000.0, "spike": 10.0}  # the synapses take longer
    idle = {"neuron_update_idle": 5.0}
    ledger = Ledger(100, {}, (idle, busy, idle), longest=(3, 1))
    each = {name: coefficients.time(name).value for name in type(LOIHI.time).model_fields}
    step = each["barrier"] + each["step_overhead"]
    step += 3 * each["hop_east_west"] + each["hop_north_south"]
    work = 1000 * each["synaptic_operation_dense"]
    found = duration(ledger, coefficients)
    assert isinstance(found, Band) and found.value == pytest.approx(100 * step + work)
    alone = duration(replace(ledger, cores=(busy,)), coefficients)
    assert alone.value == pytest.approx(found.value)


def test_static_energy_is_time_times_power_of_the_cores_in_use():
    coefficients = Coefficients(LOIHI)
    lines = lines_of(Ledger(10, {"spike": 3.0}, ({"spike": 3.0}, {}), chips=2), coefficients)
    core, chip = coefficients.power("static_core"), coefficients.power("static_chip")
    assert lines.static.value == pytest.approx(lines.time.value * 2 * core.value)
    assert lines.whole_chips.value == pytest.approx(lines.time.value * 2 * chip.value)
    assert lines.dynamic.value == pytest.approx(3 * coefficients.energy("spike").value)
    # static energy has the error of the time: a slow draw is a costly one
    assert np.corrcoef(lines.static.samples, lines.time.samples)[0, 1] > 0.5


def test_synapses_without_weight_are_not_stored_where_most_are(static):
    weights = np.random.default_rng(1).normal(0, 1, (12, 40))
    few = weights * (np.random.default_rng(2).random(weights.shape) < 0.2)

    def counted(given: np.ndarray) -> Events:
        network = Network(
            (Population("input", 40, 0, scale=1 / 255), Population("layer", 12, 1, Neuron(0.9, 1))),
            (Projection("forward", "input", "layer", Compartment.SOMA, given),),
            Schedule(4),
        )
        program = compile_network(network, load_target("loihi2-sim")).program
        return infer(program, stimulus(program, 10))[1]

    dense, sparse = (counted(w).projections[0] for w in (weights, few))
    assert (dense.form, sparse.form) == ("dense", "sparse")
    assert dense.forward_operations == dense.forward_messages * 12
    assert sparse.forward_operations < 0.3 * dense.forward_operations
    _, events = static
    assert {s.form for s in events.projections} == {"dense"}


@pytest.mark.parametrize("plastic", [False, True])
def test_counts_of_all_cores_are_those_of_the_machine(plastic):
    program = compiled((20, 16, 12), plastic=plastic)
    shown = stimulus(program, 30)
    events = simulate(program, shown).events if plastic else infer(program, shown)[1]
    placement, machine = one_layer_a_core(program)
    for ledger in ledgers(events, placement, machine.routing):
        assert all(count > 0 for count in ledger.counts.values())
        for kind in ledger.cores[0]:
            summed = sum(core[kind] for core in ledger.cores)
            assert ledger.counts.get(kind, 0.0) == pytest.approx(summed), kind
        if ledger.time_steps:
            assert ledger.counts["barrier"] == ledger.time_steps * len(placement.cores)


def changed(**energy: object) -> NeuromorphicMachine:
    described = LOIHI.energy.model_copy(update=energy)
    return LOIHI.model_copy(update={"name": "mine", "energy": described})


def derived(like: str, factor: str = "fit") -> Derived:
    return Derived(like=like, factor=factor, source="a test", conditions="none")


def test_a_coefficient_may_derive_from_another_machines():
    mine = Coefficients(changed(spike=derived("loihi2.energy.spike")))
    theirs = Coefficients(load_machine("loihi2")).energy("spike")
    ratio = mine.energy("spike").over(theirs)
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((0.88, 1, 1.12), rel=1e-3)


@pytest.mark.parametrize(
    ("coefficient", "words"),
    [
        (derived("mine.energy.spike"), "derived from itself"),
        (derived("loihi1.energy.sparks"), "no coefficient loihi1.energy.sparks"),
        (derived("loihi9.energy.spike"), "did you mean 'loihi"),
        (derived("loihi1.energy.spike", "luck"), "the factor 'luck'"),
    ],
)
def test_a_coefficient_that_derives_from_nothing_is_refused(coefficient, words):
    with pytest.raises(InputError, match=words):
        Coefficients(changed(spike=coefficient)).energy("spike")


def test_what_nobody_published_leaves_its_line_and_the_total_without_a_figure(static):
    program, events = static
    found = estimate(events, place(program, LOIHI), changed(spike=Missing(missing="not said")))
    assert isinstance(found.inference.dynamic, NotPublished)
    assert found.inference.dynamic.parts == ("spike",)
    assert isinstance(found.inference.total, NotPublished)
    assert isinstance(found.inference.static, Band)


def test_a_board_has_the_draws_of_its_chip():
    base, board = (Coefficients(load_machine(n)).energy("axon_out") for n in ("loihi1", "nahuku"))
    assert np.array_equal(base.samples, board.samples)
