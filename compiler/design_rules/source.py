"""What is known of a network before it is lowered: capabilities, registers, fan-in, its length."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.connectivity import axon_fan_in
from compiler.design_rules.capabilities import check_needs
from compiler.design_rules.violation import Violation, over
from compiler.ir import LearningRule, Network
from compiler.passes.placing.usage import SMALLER_SOURCES
from compiler.targets import NeuromorphicMachine


def check_source(network: Network, machine: NeuromorphicMachine) -> Iterator[Violation]:
    """What does not fit, whatever the lowering makes of it."""
    limits = machine.limits
    yield from check_needs(network, machine)
    for p in network.populations:
        arriving = network.arriving[p.name]
        counting = [q for q in arriving if isinstance(q.rule, LearningRule)]
        registers = len(counting)
        remedy = "make some of its projections static"
        yield from over(
            p.name, "post registers", registers, limits, "post_registers", "registers", remedy
        )
        shared = machine.capabilities.shared_kernels.value
        total = sum(
            axon_fan_in(q.connection, q.weights.shape, shared and q.rule is None) for q in arriving
        )
        remedy = SMALLER_SOURCES
        yield from over(p.name, "fan-in", total, limits, "fan_in_per_neuron", "synapses", remedy)
    if any(isinstance(q.rule, LearningRule) for q in network.projections):
        steps = network.schedule.steps
        remedy = "show a fixation for fewer time steps"
        most = 2.0**limits.trace_bits.value - 1
        yield from over(
            "schedule",
            "spike count in a trace",
            steps,
            limits,
            "trace_bits",
            "spikes",
            remedy,
            most=most,
            needs=steps.bit_length(),
        )
