"""Dendrites that add up spikes, in place of one graded message a fixation.

A neuron's spikes travel along all its axons anyway. Where an apical or retro compartment listens to
all of them, it adds up its weights over the presentation, without a leak. The soma takes over the
retrodiction when the last spikes have arrived. The prediction that it has it still needs: it takes
over the next one when it has written its last post value, and the compartment begins anew. Weights
must not change before that (`timing` sees to it), so the sums are W_retro and W_pred times the
counts of the fixation.
"""

from __future__ import annotations

from compiler.program import Program, Synapses
from compiler.terms import Compartment


def adds_spikes(program: Program, s: Synapses) -> bool:
    """Whether a projection brings a dendritic compartment the spikes of the presentation."""
    shown = tuple(range(program.timetable.steps))
    spikes = program.population(s.source).spiking
    dendritic = s.compartment in (Compartment.APICAL, Compartment.RETRO)
    return spikes and dendritic and s.listens == shown


def taken_over(program: Program, s: Synapses) -> int:
    """The target's own tau at which its soma takes over what its dendrite has added up.

    A prediction, of a target that writes no post value, at the last step of the timetable.
    """
    if s.compartment is Compartment.RETRO:
        return program.timetable.retro
    written = [value.step for value in program.population(s.target).post_values]
    return max(written, default=program.timetable.predict)
