"""What does not fit a core however it is split, and too few chips."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.design_rules.violation import Violation, over
from compiler.passes.placing.placement import Placement
from compiler.passes.placing.usage import (
    AXONS_IN,
    AXONS_OUT,
    FAN_IN,
    FORMATS,
    INDEX,
    KINDS,
    MEMORY,
    NEURONS,
    STATE,
    THRESHOLDS,
    Misfit,
    key_of,
)
from compiler.targets import NeuromorphicMachine

# What one neuron or row exceeds, as placing names it: the words of a refusal and the unit.
CORE_LIMITS = {
    NEURONS: ("neurons", "neurons"),
    MEMORY: ("synaptic memory of {}", "bytes"),
    STATE: ("state of {}", "bytes"),
    AXONS_IN: ("axons into its core", "axons"),
    AXONS_OUT: ("axons out of {}", "axons"),
    FAN_IN: ("fan-in", "synapses"),
    INDEX: ("index of a synapse", "bits"),
    KINDS: ("kinds of neuron", "entries"),
    THRESHOLDS: ("thresholds", "entries"),
    FORMATS: ("formats of synapses on {}", "entries"),
}


def check_cores(
    machine: NeuromorphicMachine, placement: Placement, misfits: tuple[Misfit, ...]
) -> Iterator[Violation]:
    for m in misfits:
        limit, unit = CORE_LIMITS[m.limit]
        yield from over(
            m.node, limit.format(m.part), m.actual, machine.limits, key_of(m.limit), unit, m.remedy
        )
    cores, figure = len(placement.cores), machine.limits.usable_cores_per_chip
    needs = "what does fit a core" if misfits else "it"
    remedy = (
        f"{needs} needs {cores:,} cores, a chip has {figure.value:,.0f}: "
        "use fewer or smaller layers"
    )
    yield from over("network", "chips", placement.chips, machine.limits, "chips", "chips", remedy)
