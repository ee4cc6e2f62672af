"""NeuroBench's complexity metrics under their own names, extended for learning.

NeuroBench (Yik et al. 2025, Nature Communications 16:1545) defines footprint, connection
sparsity, activation sparsity, synaptic operations (effective multiply-accumulates and accumulates,
dense operations) and membrane updates, all for inference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.connectivity import synapse_count
from compiler.events.records import Events
from compiler.program import Program, Relay, Soma, Synapses


def neurobench(program: Program, events: Events) -> dict[str, Any]:
    """Metrics of the forward pass and, under `learning`, ours; operations are per fixation.

    `footprint` is in bytes: weights (shared kernels once), tags, running averages, and the membrane
    potential and count of each neuron as the simulator's integers. Effective operations exclude
    zero weights, taken as spread evenly over a projection's rows. Sparsities are shares in 0..1;
    with no fixation they are None.
    """
    density = {s.name: _share_nonzero(s.weights) for s in program.synapses}
    size = {s.name: synapses_of(program, s) for s in program.synapses}
    elements = sum(size.values())
    zeros = sum(round((1 - density[name]) * n) for name, n in size.items())
    neurons = sum(p.neurons for p in events.populations if not p.host)
    spiking = sum(p.size for p in program.populations if isinstance(p.soma, Soma | Relay))
    chances = events.fixations * events.steps * spiking
    each = max(events.fixations, 1)
    macs = sum(s.graded_operations * density[s.name] for s in events.projections)
    acs = sum(
        (s.forward_operations - s.graded_operations) * density[s.name] for s in events.projections
    )
    learning = events.learning
    return {
        "footprint": sum(
            s.weights.nbytes + (0 if s.tags is None else s.tags.nbytes) for s in program.synapses
        )
        + sum(2 * p.averages.mean.nbytes for p in program.populations if p.averages is not None)
        + neurons * 2 * np.dtype(np.int32).itemsize,
        "connection_sparsity": zeros / elements if elements else None,
        "activation_sparsity": 1 - sum(p.spikes for p in events.populations) / chances
        if chances
        else None,
        "synaptic_operations": {
            "Effective_MACs": macs / each,
            "Effective_ACs": acs / each,
            "Dense": dense_forward_operations(program),
        },
        "membrane_updates": sum(p.active_updates for p in events.populations) / each,
        "learning": {
            "plastic_updates": learning.plastic_updates / each,
            "learning_visits": learning.learning_visits / each,
            "trace_writes": learning.trace_writes / each,
            "post_writes": learning.post_writes / each,
            "carries": learning.carries / each,
            "averaged": learning.averaged / each,
            "modulator_operations": sum(g.broadcast_operations for g in events.gates) / each,
        },
    }


def dense_forward_operations(program: Program) -> int:
    """Multiply-accumulates of one fixation's forward pass on a machine that skips nothing.

    A latched population receives its constant current once, the others at every time step.
    """
    return sum(synapses_of(program, s) * len(s.listens) for s in program.forward)


def synapses_of(program: Program, s: Synapses) -> int:
    """Synapses of a projection, each position's own ones where kernels are shared."""
    source, target = program.population(s.source).map, program.population(s.target).map
    return synapse_count(s.connection, s.weights.shape, source, target)


def _share_nonzero(weights: np.ndarray) -> float:
    return float(np.count_nonzero(weights)) / weights.size if weights.size else 0.0
