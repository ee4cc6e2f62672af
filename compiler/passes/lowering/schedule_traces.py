"""The timetable of rules that know their presynaptic neurons by exponential traces.

Nothing is sent after the presentation but scores and gates. All synapses learn in one time step of
the chip, or in two where some retrodict, the same for all layers, as their rules are due every 2^k
steps: the largest k for which there are such steps after the gates have arrived, since in each due
step the learning engine goes through all synapses. The period is the network's own, as it is part
of what the traces mean.
"""

from __future__ import annotations

from clapp_neuro.errors import InputError
from compiler.ir import LearningRule, Network, Projection
from compiler.program import Timetable
from compiler.terms import Compartment

SERIAL_BITS = 10  # of a score message, which leaves as so many binary spikes
DECIMATION_MAX = 9  # Loihi's u_k: at most every 2^9 steps


def traced(projection: Projection) -> bool:
    """Whether a projection learns by a rule with exponential traces."""
    rule = projection.rule
    return isinstance(rule, LearningRule) and rule.traces is not None


def schedule_traces(network: Network) -> tuple[Timetable, tuple[int, ...], int]:
    """(timetable, time steps within a fixation at which all learn, exponent of u_k).

    Raises InputError where rules of another kind learn beside, or the rest is too short.
    """
    _refuse_others(network)
    steps, top = network.schedule.steps, max(p.level for p in network.populations)
    period = steps + network.schedule.rest
    # scores bit by bit, the decision, the gate's arrival, at the highest level's own time
    ready = top + steps + SERIAL_BITS + 1
    last = period - 1 - top  # what the highest level does then is over when the fixation is
    retrodicts = any(p.compartment is Compartment.RETRO for p in network.projections)
    later = 1 if retrodicts else 0
    for k in range(DECIMATION_MAX, -1, -1):
        step = -(-(ready + 1) // (1 << k)) * (1 << k) - 1
        together = tuple(step + (n << k) for n in range(1 + later))
        if period % (1 << k) == 0 and together[-1] <= last:
            lowest = min(network.population(p.target).level for p in network.projections)
            timetable = Timetable(steps, period, retro=steps, predict=together[-1] - lowest)
            return timetable, together, k
    least = ready + 1 + later + top - steps
    raise InputError(
        f"a rest of {network.schedule.rest} time steps between fixations is too short for {top} "
        f"layers that learn from traces: give at least {least} (encoder.rest)"
    )


def _refuse_others(network: Network) -> None:
    for p in network.projections:
        if p.rule is not None and not traced(p):
            raise InputError(
                f"projection {p.name} learns from counts, others from traces of spikes: give all "
                "plastic projections rules of one kind"
            )
        ends = [network.population(name) for name in (p.source, p.target)]
        if ends[0].graded or any(end.shape is not None for end in ends):
            raise InputError(
                f"projection {p.name} is not one between spiking neurons of dense layers, which "
                "rules of traces learn beside only: let inputs spike (encoder.input 'spikes'), "
                "and use no maps"
            )
