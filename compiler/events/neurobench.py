"""NeuroBench's complexity metrics under their own names, extended for learning.

NeuroBench (Yik et al. 2025, Nature Communications 16:1545) defines footprint, connection
sparsity, activation sparsity, synaptic operations (effective multiply-accumulates and accumulates,
dense operations) and membrane updates, all for inference. tests/test_neurobench.py runs neurobench
itself on the same network. Two differences are of the machine, not of the definition: an input of
intensities is latched, so it costs a fixation one multiply-accumulate a synapse where PyTorch
repeats it at every step; and of the first step of a fixation, neurobench counts the potentials of
all neurons as updated, we those that something reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from compiler.connectivity import synapse_count
from compiler.events.fan_out import fan_out
from compiler.events.records import Events
from compiler.program import Program, ProgramPopulation, Relay, Soma, Synapses
from compiler.trace import Stimulus


def neurobench(
    program: Program, events: Events, sent: Sent | None = None, learned: Events | None = None
) -> dict[str, Any]:
    """Metrics of the forward pass and, under `learning`, ours; operations are per fixation.

    `learned` are the events of a run that learned, where it is not the run of `events`. `sent`, as
    `messages_sent` makes it, says how often each neuron has sent in the run, so that effective
    operations leave out the zero weights of those that did; without it, zeros are taken as spread
    evenly over a projection's neurons. `footprint` is in bytes: weights (shared kernels once),
    tags, running averages, and the membrane potential and count of each neuron as the simulator's
    integers, its synaptic current and the parameters that are its own. Sparsities are shares in
    0..1, that of connections of the weights as they are stored; with no fixation, or no weights,
    they are None.
    """
    elements = sum(s.weights.size for s in program.synapses)
    zeros = elements - sum(np.count_nonzero(s.weights) for s in program.synapses)
    neurons = sum(p.neurons for p in events.populations if not p.host)
    somata = {p.name: p for p in program.populations if _spikes(p)}
    chances = events.fixations * events.steps * sum(p.size for p in somata.values())
    spikes = sum(p.spikes for p in events.populations if p.name in somata)
    each, learning_each = (max(e.fixations, 1) for e in (events, learned or events))
    macs, acs = _effective(program, events, sent)
    learning, gates = (learned or events).learning, (learned or events).gates
    return {
        "footprint": sum(
            s.weights.nbytes + (0 if s.tags is None else s.tags.nbytes) for s in program.synapses
        )
        + sum(2 * p.averages.mean.nbytes for p in program.populations if p.averages is not None)
        + neurons * 2 * np.dtype(np.int32).itemsize
        + _parameter_bytes(program),
        "connection_sparsity": zeros / elements if elements else None,
        "activation_sparsity": 1 - spikes / chances if chances else None,
        "synaptic_operations": {
            "Effective_MACs": macs / each,
            "Effective_ACs": acs / each,
            "Dense": dense_forward_operations(program),
        },
        "membrane_updates": sum(p.active_updates for p in events.populations) / each,
        "learning": {
            "plastic_updates": learning.plastic_updates / learning_each,
            "learning_visits": learning.learning_visits / learning_each,
            "trace_writes": learning.trace_writes / learning_each,
            "post_writes": learning.post_writes / learning_each,
            "carries": learning.carries / learning_each,
            "averaged": learning.averaged / learning_each,
            "modulator_operations": sum(g.broadcast_operations for g in gates) / learning_each,
        },
    }


Sent = Mapping[str, np.ndarray]
"""(N,) messages of the forward pass by population: of a soma its spikes, of an input what it sends
in a fixation, spikes or one intensity that is not zero; sums over the run."""


def messages_sent(program: Program, stimulus: Stimulus, counts: Mapping[str, np.ndarray]) -> Sent:
    """What each neuron has sent in a run; `counts` (F, N) as `infer` returns them."""
    sent = {name: c.sum(axis=0, dtype=np.int64) for name, c in counts.items()}
    for p in program.populations:
        if p.soma is None:
            seen = stimulus.intensities[p.name].astype(np.int64)
            steps = program.timetable.steps
            messages = (seen * steps + 128) >> 8 if p.spikes else seen != 0
            sent[p.name] = messages.reshape(-1, p.size).sum(axis=0, dtype=np.int64)
    return sent


def _effective(program: Program, events: Events, sent: Sent | None) -> tuple[float, float]:
    """(multiply-accumulates, accumulates) of a run at weights that are not zero."""
    macs = acs = 0.0
    for s, happened in zip(program.synapses, events.projections, strict=True):
        if not happened.forward_operations:
            continue
        if sent is None:
            operations = happened.forward_operations * _share_nonzero(s.weights)
        else:
            operations = float(sent[s.source] @ fan_out(program, s))
        if happened.graded_operations:
            macs += operations
        else:
            acs += operations
    return macs, acs


def _spikes(population: ProgramPopulation) -> bool:
    """Whether it may spike: a leaky integrator never does."""
    soma = population.soma
    return isinstance(soma, Relay) or (isinstance(soma, Soma) and soma.threshold is not None)


def _parameter_bytes(program: Program) -> int:
    """Synaptic currents, and parameters of which each channel or neuron has its own."""
    words = 0
    for p in program.populations:
        if isinstance(p.soma, Soma):
            words += 0 if p.soma.current_decay is None else p.size
            own = (p.soma.decay, p.soma.threshold, p.soma.current_decay, p.soma.start)
            words += sum(len(values) for values in own if isinstance(values, tuple))
    return words * np.dtype(np.int32).itemsize


def dense_forward_operations(program: Program) -> int:
    """Multiply-accumulates of one fixation's forward pass on a machine that skips nothing.

    A latched population receives its constant current once, the others at every time step.
    """
    return sum(synapses_of(program, s) * len(s.listens) for s in program.forward)


def synapses_of(program: Program, s: Synapses) -> int:
    """Synapses of a projection, each position's own ones where kernels are shared."""
    source, target = program.population(s.source).map, program.population(s.target).map
    return synapse_count(s.connection, s.weights.shape, source, target, s.geometry)


def _share_nonzero(weights: np.ndarray) -> float:
    return float(np.count_nonzero(weights)) / weights.size if weights.size else 0.0
