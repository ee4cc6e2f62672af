"""The enumerations of `operations` as plain integers.

numba folds module constants into compiled code; enum members there would be looked up as objects.
"""

from __future__ import annotations

from compiler.backends.simulator.operations import Field, Op
from compiler.events.columns import GateCount, PopulationCount, SynapseCount

CURRENT, DRIVE_GRADED, DRIVE_SPIKES, INTEGRATE = (
    int(Op.CURRENT),
    int(Op.DRIVE_GRADED),
    int(Op.DRIVE_SPIKES),
    int(Op.INTEGRATE),
)
GATE, CLEAR, DELIVER, SATURATE = int(Op.GATE), int(Op.CLEAR), int(Op.DELIVER), int(Op.SATURATE)
POST, LEARN, CARRY = int(Op.POST), int(Op.LEARN), int(Op.CARRY)
END, PRESENT, AVERAGE = int(Op.END), int(Op.PRESENT), int(Op.AVERAGE)
CONVOLVE_GRADED, CONVOLVE_SPIKES, POOL, RELAY = (
    int(Op.CONVOLVE_GRADED),
    int(Op.CONVOLVE_SPIKES),
    int(Op.POOL),
    int(Op.RELAY),
)
ENCODE, STEP, SEND_SPIKES = int(Op.ENCODE), int(Op.STEP), int(Op.SEND_SPIKES)
SEND_GRADED, EPOCH = int(Op.SEND_GRADED), int(Op.EPOCH)
SUM, TALLY, SPREAD, INHIBIT = int(Op.SUM), int(Op.TALLY), int(Op.SPREAD), int(Op.INHIBIT)
LEARN_COPIES, AVERAGE_COPIES = int(Op.LEARN_COPIES), int(Op.AVERAGE_COPIES)
LEARN_IN_TURN, CARRY_OVER = int(Op.LEARN_IN_TURN), int(Op.CARRY_OVER)
SEQUENCE, DRIVE_SEQUENCE = int(Op.SEQUENCE), int(Op.DRIVE_SEQUENCE)
CONVOLVE_SEQUENCE, DRIVE_ONE_TO_ONE = int(Op.CONVOLVE_SEQUENCE), int(Op.DRIVE_ONE_TO_ONE)
SCATTER_SPIKES, SCATTER_SEQUENCE, SCATTER_GRADED = (
    int(Op.SCATTER_SPIKES),
    int(Op.SCATTER_SEQUENCE),
    int(Op.SCATTER_GRADED),
)
BEGIN, ADVANCE, FINISH, BAND = int(Op.BEGIN), int(Op.ADVANCE), int(Op.FINISH), int(Op.BAND)
MEMBRANE, COUNT, PREVIOUS, FIRED = (
    int(Field.MEMBRANE),
    int(Field.COUNT),
    int(Field.PREVIOUS),
    int(Field.FIRED),
)
MEAN, VARIANCE, DEVIATION = int(Field.MEAN), int(Field.VARIANCE), int(Field.DEVIATION)
SPIKES, ACTIVE, V_CLIPPED = (
    int(PopulationCount.SPIKES),
    int(PopulationCount.ACTIVE_UPDATES),
    int(PopulationCount.MEMBRANE_CLIPPED),
)
COUNT_SENT, PREVIOUS_SENT, SCORE_SENT = (
    int(PopulationCount.COUNT_MESSAGES),
    int(PopulationCount.PREVIOUS_MESSAGES),
    int(PopulationCount.SCORE_MESSAGES),
)
WRITES, Y_CLIPPED, A_CLIPPED = (
    int(PopulationCount.POST_WRITES),
    int(PopulationCount.POST_CLIPPED),
    int(PopulationCount.ACCUMULATOR_CLIPPED),
)
U_WRAPPED = int(PopulationCount.CURRENT_WRAPPED)
SILENT, SATURATED = int(PopulationCount.SILENT), int(PopulationCount.SATURATED)
ROWS, T_CLIPPED, CARRIED = (
    int(SynapseCount.ROWS_LEARNED),
    int(SynapseCount.TAG_CLIPPED),
    int(SynapseCount.CARRIED),
)
W_CLIPPED, CARRY_VISITS, EPOCHS = (
    int(SynapseCount.WEIGHT_CLIPPED),
    int(SynapseCount.CARRY_VISITS),
    int(SynapseCount.EPOCHS),
)
OPERATIONS = int(SynapseCount.OPERATIONS)
VISITED, AVERAGED = int(SynapseCount.VISITED), int(SynapseCount.AVERAGED)
POSITIVE, NEGATIVE, U_CLIPPED = (
    int(GateCount.POSITIVE),
    int(GateCount.NEGATIVE),
    int(GateCount.SCORE_CLIPPED),
)
