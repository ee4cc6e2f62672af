"""What engines count while they run: the columns of their counters, sums over all fixations."""

from __future__ import annotations

from enum import IntEnum


class PopulationCount(IntEnum):
    """Columns of the population counters."""

    SPIKES = 0
    ACTIVE_UPDATES = 1
    MEMBRANE_CLIPPED = 2
    COUNT_MESSAGES = 3  # neurons with a nonzero count, summed over fixations
    PREVIOUS_MESSAGES = 4
    SCORE_MESSAGES = 5
    POST_WRITES = 6  # nonzero post values
    POST_CLIPPED = 7
    ACCUMULATOR_CLIPPED = 8
    SILENT = 9  # neurons without a spike, summed over fixations
    SATURATED = 10  # neurons that spiked at every step, summed over fixations
    CURRENT_WRAPPED = 11  # synaptic currents beyond 24 bits


class SynapseCount(IntEnum):
    """Columns of the projection counters."""

    ROWS_LEARNED = 0  # presynaptic rows visited by learning with a nonzero post value
    TAG_CLIPPED = 1
    CARRIED = 2  # weights that moved
    WEIGHT_CLIPPED = 3
    CARRY_VISITS = 4
    EPOCHS = 5
    OPERATIONS = 6  # of maps, where a neuron's fan-out depends on its position
    VISITED = 7  # synapses that a general rule looked at
    AVERAGED = 8  # synapses that the management processor read and wrote


class GateCount(IntEnum):
    """Columns of the gate counters."""

    POSITIVE = 0
    NEGATIVE = 1
    SCORE_CLIPPED = 2
