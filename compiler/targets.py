"""Machines and targets: reads `hw_configs/*.json` into typed, frozen data.

A *machine* is a data file: limits of a core, capabilities, energy, power and time per event. A
*target* is a machine and the backend that runs the program: `loihi2-sim`, `loihi2-lava`. Code
holds no figure of any machine; each figure carries its band, grade and source.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from clapp_neuro.errors import InputError, unknown
from compiler.figures import MOST, Figure, Grade, Part, whole
from compiler.machine_costs import EventEnergy, EventTime, Factors, OperationEnergy, Power, Routing
from compiler.machine_file import read_machine

BACKENDS = ("sim", "lava")
PUBLISHED = "published.json"  # measurements to check against; not a machine


class Capability(Part):
    """Something that a machine can or cannot do."""

    value: bool
    grade: Grade
    source: str
    public: bool = True


Count = Annotated[Figure, AfterValidator(whole(1, MOST))]
CountOrNone = Annotated[Figure, AfterValidator(whole(0, MOST))]
Bits = Annotated[Figure, AfterValidator(whole(1, 64))]
BitsOrNone = Annotated[Figure, AfterValidator(whole(0, 64))]
SignedBits = Annotated[Figure, AfterValidator(whole(2, 64))]  # a sign and a digit
BlockBits = Annotated[Figure, AfterValidator(whole(0, 2**16))]
WordBits = Annotated[Figure, AfterValidator(whole(1, 2**16))]


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


class NeuromorphicMachine(Part):
    """An event-driven machine made of cores."""

    kind: Literal["neuromorphic"]
    name: str
    title: str
    backends: tuple[Literal["sim", "lava"], ...] = ()
    assumptions: tuple[str, ...] = ()
    limits: Limits
    capabilities: Capabilities
    factors: Factors = Field(default_factory=dict)
    energy: EventEnergy
    power: Power
    time: EventTime
    routing: Routing


class ConventionalMachine(Part):
    """A CPU or GPU: for comparison, it has no cores to place neurons on."""

    kind: Literal["conventional"]
    name: str
    title: str
    backends: tuple[()] = ()
    assumptions: tuple[str, ...] = ()
    factors: Factors = Field(default_factory=dict)
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
