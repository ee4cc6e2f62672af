"""Dendrites that add up spikes, in place of one graded message a fixation.

A neuron's spikes travel along all its axons anyway. Where an apical compartment listens to all of
them, it adds up W_pred over the presentation, without a leak. The soma still needs the prediction
that it has: it takes the sum over as the next one when it has written its last post value, and
the compartment begins anew. Weights do not change before that, as nothing learns where no post
value is set, so the sum is W_pred times the counts of the fixation.
"""

from __future__ import annotations

from compiler.program import Program, Synapses
from compiler.terms import Compartment


def adds_spikes(program: Program, s: Synapses) -> bool:
    """Whether a projection brings an apical compartment the spikes of the presentation."""
    shown = tuple(range(program.timetable.steps))
    spikes = program.population(s.source).spiking
    return spikes and s.compartment is Compartment.APICAL and s.listens == shown


def taken_over(program: Program, target: str) -> int:
    """The target's own tau at which its soma takes over what its dendrite has added up.

    Of a target that writes no post value the last step of the timetable.
    """
    written = [value.step for value in program.population(target).post_values]
    return max(written, default=program.timetable.predict)
