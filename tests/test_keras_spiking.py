"""KerasSpiking's published energies come out of our model where both have the same counts.

From the documentation of KerasSpiking 0.3 (ModelEnergy and its example "Estimating model energy"):
the table of devices, and for 28 x 28 inputs, a 7 x 7 convolution of 2 filters, 128 and 10 dense
units the connections, neurons, rates and joules an inference. Figures are cited, no code.
"""

from __future__ import annotations

import numpy as np
import pytest

from compiler.energy import Band, estimate
from compiler.energy.conventional import conventional
from compiler.energy.silicon.workload import dense, population, projection
from compiler.energy.silicon.workload import program as build
from compiler.events import Events
from compiler.events.spike_trains import count_spike_trains
from compiler.passes.placing.place import place
from compiler.program import Program
from compiler.targets import ConventionalMachine, NeuromorphicMachine, load_machine
from compiler.targets.figures import Included, Measure

SIDE, KERNEL, FILTERS, HIDDEN, OUTPUTS = 28, 7, 2, 128, 10
CONNECTIONS = (47_432, 123_904, 1_280)
NEURONS = (968, 128)
# Hz, of what each layer is given; the second is printed as 1.4, and its joules pin it to 1.41
RATES = {"input": 5.0, "convolution": 1.41, "dense": 1.0}
STEPS, STEPS_AN_INFERENCE = 1000, 10  # of a millisecond
DEVICES = {  # joules a synaptic operation, joules a neuron update
    "cpu": (8.6e-9, 8.6e-9),
    "gpu": (0.3e-9, 0.3e-9),
    "embedded-cpu": (0.9e-9, 0.9e-9),
    "spinnaker1": (13.3e-9, 26e-9),
    "spinnaker2": (450e-12, 2.19e-9),
    "loihi1": (27.1e-12, 81e-12),
}


def convolution() -> np.ndarray:
    """The valid convolution as a matrix (968, 784) of ones: 49 connections a neuron."""
    side = SIDE - KERNEL + 1
    matrix = np.zeros((FILTERS, side, side, SIDE, SIDE), np.int8)
    for y, x in np.ndindex(side, side):
        matrix[:, y, x, y : y + KERNEL, x : x + KERNEL] = 1
    return matrix.reshape(-1, SIDE * SIDE)


def network(steps: int, first: np.ndarray) -> Program:
    """The example with these weights (968, inputs) in its first layer."""
    inputs = first.shape[1]
    sizes = {"input": inputs, "convolution": NEURONS[0], "dense": HIDDEN, "output": OUTPUTS}
    populations = [
        population(name, size, level=level, host=level == 0)
        for level, (name, size) in enumerate(sizes.items())
    ]
    weights = (first, dense(HIDDEN, NEURONS[0]), dense(OUTPUTS, HIDDEN))
    ends = zip(list(sizes)[:-1], list(sizes)[1:], weights, strict=True)
    synapses = [projection(i, a, b, w, steps) for i, (a, b, w) in enumerate(ends)]
    return build(populations, synapses, steps, machine="loihi1")


@pytest.fixture(scope="module")
def spiking() -> tuple[Program, Events]:
    """A second of the example: as many spikes as its rates say, evenly spread over neurons."""
    program = network(STEPS, convolution())
    trains = {}
    for name, rate in RATES.items():
        size = program.population(name).size
        number = round(rate * size * STEPS * 1e-3)
        train = np.zeros((STEPS, size), bool)
        each = np.arange(number)
        train[each // size * 7 + each % 7, each % size] = True
        assert np.count_nonzero(train) == number
        trains[name] = train
    return program, count_spike_trains(program, trains)


def as_published(name: str) -> NeuromorphicMachine:
    """The machine with KerasSpiking's two coefficients, and all else included in them."""
    machine = load_machine(name)
    assert isinstance(machine, NeuromorphicMachine)
    operation, update = DEVICES[name]

    def exact(value: float) -> Measure:
        band = {"value": value, "low": value, "high": value, "unit": "J", "grade": "B"}
        return Measure(**band, source="KerasSpiking", conditions="not stated")

    energy = {}
    for kind in type(machine.energy).model_fields:
        if kind.startswith("synaptic_operation"):
            energy[kind] = exact(operation)
        elif kind.startswith("neuron_update"):
            energy[kind] = exact(update)
        else:
            energy[kind] = Included(included_in="neuron_update_active")
    return machine.model_copy(update={"energy": machine.energy.model_copy(update=energy)})


def value(line: object) -> float:
    assert isinstance(line, Band), line
    return line.value


def test_connections_and_neurons_are_the_published_ones() -> None:
    program = network(1, convolution())
    assert tuple(int(np.count_nonzero(s.weights)) for s in program.synapses) == CONNECTIONS
    assert tuple(p.size for p in program.populations[1:3]) == NEURONS


@pytest.mark.parametrize(("name", "printed"), [("cpu", "1.49e-03"), ("gpu", "5.21e-05")])
def test_dense_devices(name: str, printed: str) -> None:
    # a processor goes through a matrix with its zeros: as many connections without them
    machine, program = load_machine(name), network(1, dense(NEURONS[0], KERNEL**2))
    assert isinstance(machine, ConventionalMachine)
    result, _ = conventional(count_spike_trains(program, {}), program, machine)
    operation, update = DEVICES[name]
    published = sum(CONNECTIONS) * operation + sum(NEURONS) * update
    # outputs without an activation are no neurons there; here their potentials are kept
    ours = value(result.inference.dynamic) - OUTPUTS * update
    assert ours == pytest.approx(published, rel=1e-12)
    assert f"{ours:.2e}" == printed


def test_spiking_loihi(spiking: tuple[Program, Events]) -> None:
    program, events = spiking
    machine = as_published("loihi1")
    operation, update = DEVICES["loihi1"]
    share = STEPS_AN_INFERENCE / STEPS
    layers = [f"{s.forward_operations * operation * share:.1e}" for s in events.projections]
    assert layers == ["6.4e-08", "4.7e-08", "3.5e-10"]
    result = estimate(events, place(program, machine), machine)
    outputs = OUTPUTS * STEPS * update
    assert f"{(value(result.inference.dynamic) - outputs) * share:.2e}" == "1.00e-06"


@pytest.mark.parametrize("name", ["loihi1", "spinnaker1", "spinnaker2"])
def test_spiking_devices_cost_what_the_two_coefficients_say(
    name: str, spiking: tuple[Program, Events]
) -> None:
    program, events = spiking
    machine = as_published(name)
    result = estimate(events, place(program, machine), machine)
    operation, update = DEVICES[name]
    operations = sum(s.forward_operations for s in events.projections)
    updates = STEPS * (sum(NEURONS) + OUTPUTS)
    expected = operations * operation + updates * update
    assert value(result.inference.dynamic) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["cpu", "gpu", "embedded-cpu", "spinnaker1", "spinnaker2"])
def test_our_machines_have_the_published_coefficients(name: str) -> None:
    energy = load_machine(name).energy
    names = ("synaptic_operation", "neuron_update")
    if isinstance(load_machine(name), NeuromorphicMachine):
        names = ("synaptic_operation_dense", "neuron_update_active")
    assert tuple(getattr(energy, n).value for n in names) == DEVICES[name]
