"""SANA-FE, on the same mapping and spikes: the same events, energy and time within 5 % of its own.

SANA-FE runs as a separate program and simulates the network itself, so that equal spikes are a
check of both simulators. Coefficients are those that it ships for Loihi.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import sana_fe

from compiler.backends.simulator import infer, trace
from compiler.energy import Band, Coefficients, estimate
from compiler.energy.silicon.workload import program as build
from compiler.energy.silicon.workload import projection
from compiler.events import traffic
from compiler.events.spike_trains import Trains, count_spike_trains
from compiler.passes.placing.place import place
from compiler.passes.placing.placement import Placement
from compiler.program import Program, ProgramPopulation, Soma
from compiler.targets import NeuromorphicMachine, load_machine
from compiler.terms import Reset
from compiler.trace import Stimulus

STEPS = 24
ENERGY = (
    "synaptic_operation_dense", "synaptic_operation_sparse", "neuron_update_idle",
    "neuron_update_active", "spike", "axon_out", "axon_in", "hop_east_west", "hop_north_south",
)  # fmt: skip


def test_sana_fe_is_installed() -> None:
    assert sana_fe.missing() is None, sana_fe.missing()


def loihi(neurons_per_core: int) -> NeuromorphicMachine:
    """Loihi 1 without what SANA-FE has no part for: the host's share of a step, barrier energy."""
    machine = load_machine("loihi1")
    assert isinstance(machine, NeuromorphicMachine)
    few = {"value": neurons_per_core, "low": neurons_per_core, "high": neurons_per_core}
    none = {"value": 0.0, "low": 0.0, "high": 0.0}

    def changed(section, name, values):
        return section.model_copy(update={name: getattr(section, name).model_copy(update=values)})

    return machine.model_copy(
        update={
            "limits": changed(machine.limits, "neurons_per_core", few),
            "energy": changed(machine.energy, "barrier", none),
            "time": changed(machine.time, "step_overhead", none),
        }
    )


def costs(machine: NeuromorphicMachine) -> sana_fe.Costs:
    coefficients = Coefficients(machine)
    energy = {name: value(coefficients.energy(name)) for name in ENERGY}
    time = {name: value(coefficients.time(name)) for name in (*ENERGY, "barrier")}
    return sana_fe.Costs(energy, time)


def value(line) -> float:
    assert isinstance(line, Band), line
    return line.value


def network(widths: tuple[int, ...], zeros: float, seed: int, forks: bool = False) -> Program:
    """Integrators, which both simulators compute without rounding, each layer above the last.

    With `forks`, all layers from the second on hear the first.
    """
    random = np.random.default_rng(seed)
    populations = [ProgramPopulation("input", widths[0], 0, None, spikes=True)]
    synapses = []
    for number, size in enumerate(widths[1:], 1):
        below = populations[min(number - 1, 1) if forks else number - 1]
        name, level = f"layer{number}", below.level + 1
        weights = random.integers(-40, 52, (size, below.size)).astype(np.int8)
        weights[random.random(weights.shape) < zeros] = 0
        threshold = int(5 * below.size * (1 - zeros)) | 1
        soma = Soma(4096, threshold, Reset.SUBTRACT, input_shift=0, latched=False)
        populations.append(ProgramPopulation(name, size, level, soma))
        synapses.append(projection(number - 1, below.name, name, weights, STEPS))
    return build(populations, synapses, STEPS, machine="loihi1")


@dataclass(frozen=True)
class Run:
    """One network on both: `trains` and `active` (steps, N) in the chip's time, as we have them."""

    program: Program
    placement: Placement
    machine: NeuromorphicMachine
    trains: Trains
    active: Trains
    shown: np.ndarray
    theirs: sana_fe.SanaFe


def in_chip_time(rows: np.ndarray, level: int) -> np.ndarray:
    """A population of level l runs l steps behind; what it would do after the end is cut off."""
    shifted = np.zeros_like(rows)
    shifted[level:] = rows[: len(rows) - level]
    return shifted


CASES = {
    "dense": ((60, 120, 90, 40), 32, 0.0),
    "large cores": ((200, 300, 200, 50), 128, 0.0),
    "deep": ((40, 64, 64, 64, 64), 16, 0.0),
    "wide": ((40, 640, 10), 32, 0.0),
    "sparse": ((80, 150, 100, 30), 64, 0.8),
    "one core": ((100, 100), 1024, 0.0),
    "two on a core": ((60, 90, 30, 20), 64, 0.0),
}


@pytest.fixture(scope="module", params=CASES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    widths, neurons_per_core, zeros = CASES[request.param]
    machine = loihi(neurons_per_core)
    program = network(widths, zeros, seed=3, forks=request.param == "two on a core")
    placement = place(program, machine)
    random = np.random.default_rng(7)
    shown = random.integers(0, 120, (1, widths[0])).astype(np.uint8)
    seen = next(iter(trace(program, Stimulus({"input": shown}, {}), learn=False)))
    i, t = shown[0].astype(np.int64), np.arange(STEPS)[:, None]
    inputs = ((i * (t + 1) + 128) >> 8) > ((i * t + 128) >> 8)
    trains, active = {"input": inputs}, {}
    for s in program.synapses:
        level = program.population(s.target).level
        below = inputs if s.source == "input" else seen.spikes[s.source]
        listed = (s.weights != 0) | (zeros == 0)
        reached = below.astype(np.int64) @ listed.T.astype(np.int64) > 0
        before = np.vstack([np.zeros_like(seen.membrane[s.target][:1]), seen.membrane[s.target]])
        active[s.target] = in_chip_time((before[:-1] != 0) | reached, level)
        trains[s.target] = in_chip_time(seen.spikes[s.target], level)
    folder = tmp_path_factory.mktemp("sana_fe")
    theirs = sana_fe.run(program, placement, {"input": inputs}, STEPS, costs(machine), folder)
    return Run(program, placement, machine, trains, active, shown, theirs)


def test_spikes_are_equal(run: Run) -> None:
    for name, train in run.trains.items():
        assert np.array_equal(train, run.theirs.trains[name]), name
        assert 0.02 < train.mean() < 0.9, name


def test_events_are_equal(run: Run) -> None:
    events = count_spike_trains(run.program, run.trains, active=run.active)
    ours, (sent, _) = events.inference, traffic(events, run.placement, run.machine.routing)
    assert ours.synaptic_operations == run.theirs.synaptic_operations
    assert ours.active_updates == run.theirs.updates
    assert ours.messages == run.theirs.spikes
    assert round(sent.axons_in.sum(), 6) == run.theirs.packets
    # hops are those of a population's mean activity: exact where its neurons spike alike
    assert sent.east_west + sent.north_south == pytest.approx(run.theirs.hops, rel=0.02)


def test_energy_is_theirs(run: Run) -> None:
    events = count_spike_trains(run.program, run.trains, active=run.active)
    ours = value(estimate(events, run.placement, run.machine).inference.dynamic)
    assert ours == pytest.approx(run.theirs.energy["total"], rel=0.001)


def test_the_time_of_a_whole_run_is_theirs_within_five_percent(run: Run) -> None:
    """Barrier-synchronised steps, each as long as the slowest core takes."""
    events = count_spike_trains(run.program, run.trains, active=run.active)
    found = estimate(events, run.placement, run.machine).inference
    seconds = value(found.time)
    print(f"time over SANA-FE's: {seconds / run.theirs.time:.3f}")
    assert seconds == pytest.approx(run.theirs.time, rel=0.05)
    power = Coefficients(run.machine).power("static_core")
    assert value(found.static) == pytest.approx(seconds * value(power) * len(run.placement.cores))


def test_what_the_simulator_records_is_what_sana_fe_does(run: Run) -> None:
    """The engine's own record gives the time of the run that spike trains give, and SANA-FE."""
    _, events = infer(run.program, Stimulus({"input": run.shown}, {}))
    assert events.record is not None
    for column, p in enumerate(events.populations):
        ended = STEPS - p.level
        sent = run.theirs.trains[p.name].sum(1)[p.level :]
        assert np.array_equal(events.record.sent[0, column, :ended], sent), p.name
        if not p.host:
            # what arrives and adds up to 0 is an update to SANA-FE, to the engine it is none
            ours = events.record.active[0, column, :ended]
            theirs = run.active[p.name].sum(1)[p.level :]
            assert np.all(ours <= theirs) and ours.sum() >= 0.99 * theirs.sum(), p.name


def test_steps_estimated_one_by_one_take_as_long_as_the_run(run: Run) -> None:
    """Each step as a run of its own; packets go no further than in the longest of them."""
    step = replace(
        run.program,
        timetable=replace(run.program.timetable, steps=1, period=1),
        synapses=tuple(replace(s, listens=(0,)) for s in run.program.synapses),
    )
    seconds = 0.0
    for t in range(STEPS):
        trains, active = (
            {name: train[t : t + 1] for name, train in of.items()}
            for of in (run.trains, run.active)
        )
        events = count_spike_trains(step, trains, active=active)
        seconds += value(estimate(events, run.placement, run.machine).inference.time)
    whole = count_spike_trains(run.program, run.trains, active=run.active)
    together = value(estimate(whole, run.placement, run.machine).inference.time)
    assert seconds == pytest.approx(together, rel=0.01)


def test_our_coefficients_of_loihi_are_those_that_sana_fe_ships() -> None:
    spec = importlib.util.find_spec("sanafe")
    assert spec is not None and spec.submodule_search_locations, sana_fe.missing()
    text = (Path(spec.submodule_search_locations[0]) / "examples" / "loihi.yaml").read_text()

    def shipped(name: str, after: str = "") -> float:
        found = re.search(rf"{name}: ([0-9.e-]+)", text[text.index(after) :])
        assert found is not None, name
        return float(found.group(1))

    machine = load_machine("loihi1")
    assert isinstance(machine, NeuromorphicMachine)
    ours = costs(machine)
    soma = "loihi_lif"
    for what, mine in (("energy", ours.energy), ("latency", ours.time)):
        idle = shipped(f"{what}_access_neuron", soma)
        assert mine["neuron_update_idle"] == pytest.approx(idle)
        update = shipped(f"{what}_update_neuron", soma)
        assert mine["neuron_update_active"] == pytest.approx(idle + update)
        assert mine["spike"] == pytest.approx(shipped(f"{what}_spike_out", soma))
        assert mine["axon_in"] == pytest.approx(shipped(f"{what}_message_in"))
        assert mine["axon_out"] == pytest.approx(shipped(f"{what}_message_out"))
        assert mine["hop_east_west"] == pytest.approx(shipped(f"{what}_east_hop"))
        assert mine["hop_north_south"] == pytest.approx(shipped(f"{what}_north_hop"))
        for form in ("dense", "sparse"):
            each = shipped(f"{what}_process_spike", f"loihi_{form}_synapse")
            assert mine[f"synaptic_operation_{form}"] == pytest.approx(each)
