"""What a program, or the network that it comes from, needs and a machine cannot do."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.design_rules.violation import Violation
from compiler.ir import Compartment, LearningRule, Network, Population
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.program import Program, Relay, Soma, Tally
from compiler.targets import NeuromorphicMachine, load_machine, machine_names
from compiler.terms import Reset
from compiler.turns import in_turn

# What neurons of a fixed kind do; a reset to zero at once has the spikes of one that is delayed.
FIXED_RESETS = (Reset.SUBTRACT, Reset.ZERO, Reset.ZERO_AT_ONCE)


def check_capabilities(program: Program, machine: NeuromorphicMachine) -> list[Violation]:
    """What the program needs that the machine cannot do."""
    needs = []
    for p in program.populations:
        if p.messages:
            needs.append(
                (p.name, "graded spikes (counts or intensities as payload)", "graded_spikes")
            )
        if p.soma is None:
            needs.append((p.name, "axons that lead to lists of synapses", "axon_lists"))
        if p.post_values:
            needs.append((p.name, "a soma that writes post values", "programmable_soma"))
        if p.averages is not None:
            needs.append((p.name, "a soma that averages and divides", "programmable_soma"))
        if any(v.gate is not None for v in p.post_values):
            needs.append((p.name, "a third factor sent by another neuron", "third_factor"))
        if isinstance(p.soma, Relay):
            needs.append((p.name, "a soma that remembers its first spike", "programmable_soma"))
        if isinstance(p.soma, Tally):
            needs.append((p.name, "a soma that adds up a map", "programmable_soma"))
        reset = _reset(p.soma)
        if reset is not None and reset not in FIXED_RESETS:
            needs.append((p.name, f"a soma that resets by '{reset.value}'", "programmable_soma"))
        if p.sequence > 1:
            needs.append((p.name, "graded spikes (values given step by step)", "graded_spikes"))
    for g in program.gates:
        needs.append((g.name, "a soma that compares its sum", "programmable_soma"))
        if not g.serial:
            needs.append((g.name, "graded spikes (scores as payload)", "graded_spikes"))
        if g.norm is not None:
            needs.append((g.name, "a soma that takes a root and divides", "programmable_soma"))
    needs += [
        (s.target, "a soma that forgets its count", "programmable_soma")
        for s in program.synapses
        if s.compartment is Compartment.INHIBITION
    ]
    needs += [
        (s.name, "somata that pass on what they heard some steps ago", "programmable_soma")
        for s in program.synapses
        if in_turn(s)
    ]
    needs += [
        (s.name, "plastic synapses", "learning") for s in program.synapses if s.rule is not None
    ]
    lacking = (_capability(node, limit, machine, key) for node, limit, key in needs)
    return [missing for missing in lacking if missing is not None]


def check_needs(network: Network, machine: NeuromorphicMachine) -> Iterator[Violation]:
    """The same of a source network, as far as it is known before the lowering."""
    for p in network.populations:
        for limit, key in _needs(network, p):
            missing = _capability(p.name, limit, machine, key)
            if missing is not None:
                yield missing


def _needs(network: Network, p: Population) -> Iterator[tuple[str, str]]:
    plastic = [q for q in network.arriving[p.name] if q.rule is not None]
    counting = [q.rule for q in plastic if isinstance(q.rule, LearningRule)]
    rewarded = any(isinstance(q.rule, SpikeTimingRule) and q.rule.eligibility for q in plastic)
    if plastic:
        yield "plastic synapses", "learning"
    if any(rule.traces is None for rule in counting):
        yield "graded spikes (counts or intensities as payload)", "graded_spikes"
    if counting or rewarded:
        yield "a soma that writes post values", "programmable_soma"
    if p.averages is not None:
        yield "a soma that averages and divides", "programmable_soma"
    if rewarded or any(term.gate for rule in counting for term in rule.terms):
        yield "a third factor sent by another neuron", "third_factor"


def _reset(soma: Soma | Relay | Tally | None) -> Reset | None:
    """What a spike does to a neuron; None for what does not spike by a potential."""
    if not isinstance(soma, Soma) or soma.threshold is None:
        return None
    return Reset(soma.reset)


def _capability(node: str, limit: str, machine: NeuromorphicMachine, key: str) -> Violation | None:
    if getattr(machine.capabilities, key).value:
        return None
    able = []
    for name in machine_names():
        other = load_machine(name)
        if not isinstance(other, NeuromorphicMachine):
            continue
        # without lists of synapses a machine takes no program with inputs, whatever else it can do
        if getattr(other.capabilities, key).value and other.capabilities.axon_lists.value:
            able += [f"{name}-{backend}" for backend in other.backends]
    where = f"compile for {' or '.join(able)}" if able else "no target that ships has it"
    return Violation(node, limit, 1, 0, "capability", where)
