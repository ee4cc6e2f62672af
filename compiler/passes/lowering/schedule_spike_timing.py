"""The timetable of rules that learn from spike times: the network's own, with its rest.

Nothing is sent after the presentation but a reward; what is learned needs no message.
"""

from __future__ import annotations

from clapp_neuro.errors import InputError
from compiler.ir import Compartment, Network
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.lowering.schedule_traces import DECIMATION_MAX
from compiler.program import Timetable

CARRIES_A_FIXATION = 2  # as exponent, of rules of spike times


def schedule_spike_timing(network: Network) -> tuple[Timetable, int]:
    """(timetable, exponent of u_k) of a network whose rules learn from spike times.

    Raises InputError where a rule needs what the network does not have: spikes, one kind of
    rule, or a rest between fixations that is long enough.
    """
    plastic = [p for p in network.projections if p.rule is not None]
    timed = [p for p in plastic if isinstance(p.rule, SpikeTimingRule)]
    for p in plastic:
        if p not in timed:
            raise InputError(
                f"projection {p.name} learns once a fixation and {timed[0].name} at every time "
                "step: give all plastic projections rules of one kind"
            )
        if p.compartment is not Compartment.SOMA or network.population(p.source).graded:
            raise InputError(
                f"projection {p.name} learns from spike times, but {p.source} sends no spikes to "
                "the soma: let it spike (encoder.input 'spikes'), or use a rule of counts"
            )
    for population in network.populations:
        if population.shape is not None:
            raise InputError(
                f"population {population.name} is a map, which rules of spike times do not learn "
                "beside yet: use dense layers, or compile with learning left out (--static)"
            )
    steps, period = network.schedule.steps, network.schedule.steps + network.schedule.rest
    top = max(p.level for p in network.populations)
    rewarded = any(p.rule.eligibility for p in timed if isinstance(p.rule, SpikeTimingRule))
    needed = top + (3 if rewarded else 1)  # for the last layer's last spikes, and for the reward
    if network.schedule.rest < needed:
        raise InputError(
            f"a rest of {network.schedule.rest} time steps between fixations is too short for "
            f"{top} layers that learn from spike times: give at least {needed} (encoder.rest)"
        )
    if rewarded and (period & (period - 1) or period > 1 << DECIMATION_MAX):
        raise InputError(
            f"{period} time steps a fixation, {steps} and a rest of {network.schedule.rest}: a "
            "reward is learned from every 2^k steps, so make them a power of two of at most "
            f"{1 << DECIMATION_MAX} (encoder.rest)"
        )
    predict = steps + 1 if rewarded else steps
    # a reward comes once a fixation; carries must follow faster changes than CLAPP's
    every = period.bit_length() - 1 - (0 if rewarded else CARRIES_A_FIXATION)
    return Timetable(steps, period, steps, predict), min(DECIMATION_MAX, max(0, every))
