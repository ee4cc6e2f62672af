"""One fixation of a detailed recording, as `verify` compares it."""

from __future__ import annotations

from compiler.backends.lava.recording import Recording
from compiler.trace import FixationTrace


def fixation_trace(recording: Recording, fixation: int) -> FixationTrace:
    """A copy of one fixation's records; only of a detailed recording."""
    populations = {n: (r, fixation % r.slots) for n, r in recording.populations.items()}
    synapses = {n: (r, fixation % r.slots) for n, r in recording.synapses.items()}
    gates = {n: (r, fixation % r.slots) for n, r in recording.gates.items()}
    learning = populations if recording.learn else {}
    return FixationTrace(
        fixation=fixation,
        membrane={name: r.membrane[i].copy() for name, (r, i) in populations.items()},
        spikes={name: r.spikes[i].copy() for name, (r, i) in populations.items()},
        counts={name: r.counts[i].copy() for name, (r, i) in populations.items()},
        apical={name: r.apical[i].copy() for name, (r, i) in learning.items()},
        retro={name: r.retro[i].copy() for name, (r, i) in learning.items()},
        post={name: r.post[i].copy() for name, (r, i) in learning.items()},
        averages={
            name: r.averages[i].copy() for name, (r, i) in learning.items() if len(r.final_averages)
        },
        scores={name: int(r.scores[i]) for name, (r, i) in gates.items()},
        gates={name: int(r.gates[i]) for name, (r, i) in gates.items()},
        weights={name: r.weights[i].copy() for name, (r, i) in synapses.items()},
        tags={name: r.tags[i].copy() for name, (r, i) in synapses.items() if r.tagged},
    )
