"""The compiled program: integers only, every step of a fixation decided.

A fixation takes `Timetable.period` time steps. A population at level l counts its own time
tau = (time_step - 1 - l) mod period, so each level runs one step behind the one below, and a
message sent at tau reaches the level above at the same tau of that level's own time. Synapses
deliver one step after the message was sent: within a level, a spike of tau arrives at tau + 1.

    tau              what happens
    0 .. steps-1     spikes; a latched population receives its constant current at tau = 0
    steps            score messages to the comparator (a norm takes another step, and so on)
    steps+1          the comparator decides
    steps+2 ...      the gate has arrived: learning slots, as scheduled
    last slot        the prediction of the next fixation is sent, counts become previous counts

A population sends at most one graded message a step, to all its targets; targets that do not
listen at that step ignore it. A message leaves through the weights of before that step's carry.
Both engines, the simulator and Lava, execute this data and nothing else.
"""

from compiler.program.gate import Gate
from compiler.program.populations import Message, PostValue, ProgramPopulation
from compiler.program.rules import Product, SumOfProducts, Trace
from compiler.program.somata import Relay, Soma, Tally
from compiler.program.synapses import Synapses
from compiler.program.whole import Program, Timetable
from compiler.program.widths import (
    ACCUMULATOR_BITS,
    DECAY_ONE,
    EXPONENTS,
    FINEST,
    LARGEST_WEIGHT,
    MACHINE,
    MEMBRANE_BITS,
    MEMBRANE_MAX,
    NORM_BITS,
    PRODUCT_SHIFT,
    RECIPROCAL_BITS,
    REGISTERS,
    SCORE_BITS,
    TAG_UNITS,
    TRACE_MAX,
)

__all__ = [
    "ACCUMULATOR_BITS",
    "DECAY_ONE",
    "EXPONENTS",
    "FINEST",
    "LARGEST_WEIGHT",
    "MACHINE",
    "MEMBRANE_BITS",
    "MEMBRANE_MAX",
    "NORM_BITS",
    "PRODUCT_SHIFT",
    "RECIPROCAL_BITS",
    "REGISTERS",
    "SCORE_BITS",
    "TAG_UNITS",
    "TRACE_MAX",
    "Gate",
    "Message",
    "PostValue",
    "Product",
    "Program",
    "ProgramPopulation",
    "Relay",
    "Soma",
    "SumOfProducts",
    "Synapses",
    "Tally",
    "Timetable",
    "Trace",
]
