"""Machines and targets: reads `hw_configs/*.json` into typed, frozen data.

A *machine* is a data file: limits of a core, capabilities, energy, power and time per event. A
*target* is a machine and the backend that runs the program: `loihi2-sim`, `loihi2-lava`. Code
holds no figure of any machine; each figure carries its band, grade and source.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from clapp_neuro.errors import InputError, unknown
from compiler.machine_file import read_machine

BACKENDS = ("sim", "lava")
PUBLISHED = "published.json"  # measurements to check against; not a machine
Grade = Literal["A", "B", "C"]


class Part(BaseModel):
    """Base of all parts: frozen, finite, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figure(Part):
    """A number with its band, unit, grade (A measured, B vendor, C derived) and source.

    `public=False` marks a conservative choice where nothing is published.
    """

    value: float
    low: float
    high: float
    unit: str
    grade: Grade
    source: str
    public: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Figure:
        if not 0 <= self.low <= self.value <= self.high:
            band = f"{self.low:g}, {self.value:g}, {self.high:g}"
            raise ValueError(f"0 <= low <= value <= high must hold, not {band}")
        return self


class Missing(Part):
    """A figure that nobody published; `missing` says so in words. Never read as zero."""

    missing: str


class Included(Part):
    """An event whose cost is part of another published figure."""

    included_in: str


Coefficient = Figure | Missing | Included


class Capability(Part):
    """Something that a machine can or cannot do."""

    value: bool
    grade: Grade
    source: str
    public: bool = True


def _whole(low: int, high: int) -> Callable[[Figure], Figure]:
    """A check that the value is a whole number in low..high; ValueError says so."""

    def checked(figure: Figure) -> Figure:
        if not (low <= figure.value <= high and figure.value.is_integer()):
            raise ValueError(
                f"{figure.value:.10g} is not possible, use a whole number from {low} to {high}"
            )
        return figure

    return checked


MOST = 2**40  # more cores, neurons or bytes than any machine has; integers stay exact in floats
Count = Annotated[Figure, AfterValidator(_whole(1, MOST))]
CountOrNone = Annotated[Figure, AfterValidator(_whole(0, MOST))]
Bits = Annotated[Figure, AfterValidator(_whole(1, 64))]
BitsOrNone = Annotated[Figure, AfterValidator(_whole(0, 64))]
SignedBits = Annotated[Figure, AfterValidator(_whole(2, 64))]  # a sign and a digit
BlockBits = Annotated[Figure, AfterValidator(_whole(0, 2**16))]
WordBits = Annotated[Figure, AfterValidator(_whole(1, 2**16))]


class Limits(Part):
    """What one core holds, and how many cores there are. Bits include the sign."""

    cores_per_chip: Count
    usable_cores_per_chip: Count
    chips: Count  # of the largest board
    neurons_per_core: Count
    state_bytes_per_core: Count | None = None  # None: state does not compete with neurons
    synaptic_bytes_per_core: Count
    axons_in_per_core: Count
    axons_out_per_core: Count
    fan_in_per_neuron: Count
    weight_bits: SignedBits
    delay_bits: BitsOrNone  # stored with every synapse
    tag_bits: BitsOrNone  # 0: synapses have no tag
    trace_bits: BitsOrNone
    post_registers: CountOrNone
    payload_bits: Bits
    word_bits: WordBits  # unit of synaptic memory: axon lists are padded to it
    synapses_per_block: Count
    block_overhead_bits: BlockBits
    accumulator_bits: SignedBits
    learning_epoch: CountOrNone  # longest, time steps
    decimation_exponent: BitsOrNone  # largest k of u_k


class Capabilities(Part):
    """What the lowering may rely on."""

    graded_spikes: Capability
    programmable_soma: Capability
    learning: Capability
    third_factor: Capability  # one neuron's message can be another neuron's third factor
    all_plastic_or_none: Capability  # a core's synapses are either all plastic or all static
    # a core stores a kernel once, and one axon leads to all channels of a position
    shared_kernels: Capability = Capability(
        value=False,
        grade="C",
        source="not stated: each position's synapses are stored",
        public=False,
    )


class EventEnergy(Part):
    """Joules an event of the neuron cores; the last two are of the management processors."""

    synaptic_operation: Coefficient
    neuron_update_active: Coefficient
    neuron_update_idle: Coefficient
    spike: Coefficient  # a neuron that sends, beyond its update
    axon_out: Coefficient  # one message to one receiving core
    hop: Coefficient  # one message, one router
    trace_write: Coefficient  # one row's x1 overwritten
    post_write: Coefficient
    learning_visit: Coefficient  # a synapse visited with post value zero
    plastic_update: Coefficient  # a synapse changed
    management_step: Coefficient  # a time step of all that is not a neuron core
    averaged_synapse: Coefficient = Missing(missing="not stated")  # read, added up, and written


class Power(Part):
    """Static power in watts: of a core in use, and of a whole chip."""

    static_core: Figure | Missing
    static_chip: Figure | Missing


class EventTime(Part):
    """Seconds an event takes on its core; `barrier` and `step_overhead` are per time step."""

    synaptic_operation: Coefficient
    neuron_update_active: Coefficient
    neuron_update_idle: Coefficient
    spike: Coefficient
    axon_out: Coefficient
    plastic_update: Coefficient
    learning_visit: Coefficient
    barrier: Coefficient
    step_overhead: Coefficient


class Routing(Part):
    """Assumptions about distance on the mesh."""

    mean_hops: Figure


class NeuromorphicMachine(Part):
    """An event-driven machine made of cores."""

    kind: Literal["neuromorphic"]
    name: str
    title: str
    backends: tuple[Literal["sim", "lava"], ...] = ()
    assumptions: tuple[str, ...] = ()
    limits: Limits
    capabilities: Capabilities
    energy: EventEnergy
    power: Power
    time: EventTime
    routing: Routing


class OperationEnergy(Part):
    """Joules a dense operation of a conventional machine."""

    synaptic_operation: Figure  # one multiply-accumulate
    neuron_update: Figure


class ConventionalMachine(Part):
    """A CPU or GPU: for comparison, it has no cores to place neurons on."""

    kind: Literal["conventional"]
    name: str
    title: str
    backends: tuple[()] = ()
    assumptions: tuple[str, ...] = ()
    energy: OperationEnergy


Machine = Annotated[NeuromorphicMachine | ConventionalMachine, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Machine)


@dataclass(frozen=True)
class Target:
    """A machine to compile for and the backend that runs the program."""

    name: str
    machine: NeuromorphicMachine
    backend: str


def machine_names() -> tuple[str, ...]:
    """All machines that ship, also those that exist for energy comparison only."""
    files = resources.files("hw_configs").iterdir()
    names = (f.name for f in files if f.name.endswith(".json") and f.name != PUBLISHED)
    return tuple(sorted(name[: -len(".json")] for name in names))


def load_machine(name: str) -> NeuromorphicMachine | ConventionalMachine:
    """A machine that ships, by name; InputError with the nearest name if there is none."""
    if name not in machine_names():
        raise unknown("machine", name, machine_names())
    text = resources.files("hw_configs").joinpath(f"{name}.json").read_text("utf-8")
    return _parse(text, f"{name}.json")


def target_names() -> tuple[str, ...]:
    """All targets that a program can be compiled for."""
    machines = [load_machine(name) for name in machine_names()]
    return tuple(f"{m.name}-{backend}" for m in machines for backend in m.backends)


def load_target(name: str) -> Target:
    """The target `machine-backend`, or a machine file of one's own (`*.json`, backend sim).

    Raises InputError for an unknown name (with the nearest one) and for a broken file.
    """
    if name.endswith(".json"):
        return _target_from_file(Path(name))
    if name not in target_names():
        known, _, _ = name.rpartition("-")
        if known in machine_names() and not load_machine(known).backends:
            raise InputError(
                f"'{known}' is described for energy comparison only; "
                f"compile for one of {', '.join(target_names())}"
            )
        raise unknown("target", name, target_names())
    machine_name, _, backend = name.rpartition("-")
    machine = load_machine(machine_name)
    assert isinstance(machine, NeuromorphicMachine)  # others have no backends
    return Target(name, machine, backend)


def published() -> dict[str, Any]:
    """Published measurements and ratios that estimates are checked against."""
    text = resources.files("hw_configs").joinpath(PUBLISHED).read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _target_from_file(path: Path) -> Target:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"cannot read the machine file {path}: {reason}") from None
    machine = _parse(text, str(path))
    if not isinstance(machine, NeuromorphicMachine):
        raise InputError(f"{path}: a {machine.kind} machine has no cores to compile for")
    return Target(f"{machine.name}-sim", machine, "sim")


def _parse(text: str, where: str) -> NeuromorphicMachine | ConventionalMachine:
    machine: NeuromorphicMachine | ConventionalMachine = read_machine(text, where, _ADAPTER)
    return machine
