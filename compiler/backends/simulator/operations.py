"""The operations of a fixation, and the rows and columns of what they work on.

Columns of notes are those of `compiler.events.notes`.
"""

from __future__ import annotations

from enum import IntEnum

from compiler.terms import Compartment, Quantity


class Op(IntEnum):
    """Operation codes; the comment gives the operands, `interpreter.py` the meaning."""

    CURRENT = 0  # size: clears the current buffer
    DRIVE_GRADED = 1  # start, n_post, source, n_pre, field, drop, lift
    DRIVE_SPIKES = 2  # start, n_post, source population, delay
    INTEGRATE = 3  # population, offset, size, decay, threshold, scale of currents, zero reset
    GATE = 4  # gate, offset, size, factor, factor, score shift, signal, population, margin where
    #           y = +1, and where y = -1, factor of the norm, classes or 0, points (0 or 1), bits
    #           of noise, its stream, dt of the messages, channels, largest message, its bits
    #           where it is sent one by one (else 0), column of notes
    CLEAR = 5  # field, offset, size
    DELIVER = 6  # start, n_post, source, n_pre, field, drop, lift, shift, to field, target
    SATURATE = 7  # field, offset, size, population
    POST = 8  # population, offset, size, register, f, f, f, signal, mult, shift, grain, stream, dt,
    #           rectified (0 not, 1 half, 2 full), channels, reward, gate that points or -1,
    #           its classes, column of notes
    LEARN = 9  # synapses, start, source, n_pre, field, drop, lift, register, target, exponent,
    #            stream, dt, n_post, 1 where weights learn instead of tags, column of notes
    CARRY = 10  # synapses, start, size, size without what is off the map, mask, dt; where all of
    #             the tag is transferred n_post (else 0), stream, column of notes
    END = 11  # offset, size, population: counts become previous counts
    PRESENT = 12  # offset, size, population: counts the input neurons that send anything
    AVERAGE = 13  # offset, size, population, signal, multiplier, shift, fraction, epsilon
    CONVOLVE_GRADED = 14  # synapses, start, C_out, source, C_in, field, drop, lift, h, w, kernel,
    #                       rows of weights of one position (0: all share the same)
    CONVOLVE_SPIKES = 15  # synapses, start, C_out, source population, C_in, height, width, kernel,
    #                       rows of weights of one position, delay
    POOL = 16  # synapses, start, source population, channels, height, width of the source
    RELAY = 17  # population, offset, size
    ENCODE = 18  # population, offset, size: an input's intensities become spikes
    STEP = 19  # as INTEGRATE, and tau: a single step
    SEND_SPIKES = 20  # start, n_post, source population, tau, target
    SEND_GRADED = 21  # start, n_post, source, n_pre, field, drop, lift, target
    EPOCH = 22  # learner, tau of the source or -1, tau of the target or -1, field or -1, drop,
    #             lift, registers that are written, dt, column of notes
    SUM = 23  # synapses, start, source population, channels, height, width of the source
    TALLY = 24  # population, offset, size
    SPREAD = 25  # synapses, start, source, n_pre, field, drop, lift, shift, to field, target,
    #              positions, column of notes
    INHIBIT = 26  # synapses, start, source, n_pre, field, drop, lift, target, its channels, height,
    #               width, the winner's bit, column of notes
    LEARN_COPIES = 27  # as LEARN to dt, C_out, C_in, kernel, height, width, column of notes
    AVERAGE_COPIES = 28  # synapses, start, C_out, C_in, kernel, height, width, synapses on the map,
    #                      fixations from one average to the next
    LEARN_IN_TURN = 29  # as LEARN_COPIES (dt of the first position) to width, first position, and
    #                     the end, column of notes
    CARRY_OVER = 30  # synapses, start, size, fixations from one to the next, tag units in a unit of
    #                  the weight, largest tag; of a pair low synapses and their start, else -1
    SEQUENCE = 31  # population, offset, size, place among what inputs are given
    DRIVE_SEQUENCE = 32  # start, n_post, place, n_pre, delay
    CONVOLVE_SEQUENCE = 33  # synapses, start, C_out, place, C_in, height, width, kernel, delay
    DRIVE_ONE_TO_ONE = 34  # start, source population, place or -1, delay
    BEGIN = 35  # population, offset, size
    ADVANCE = 36  # population, offset, size, scale of currents, mask of a synaptic current, then of
    #               what a reset does: `general.advance`
    FINISH = 37  # population, offset, size
    BAND = 38  # so many of the rows that follow are done step by step, all of them in each step
    SCATTER_SPIKES = 39  # synapses, start, source population, delay, window: channels, height and
    #                      width of source and target, kernel, stride, padding and dilation, each of
    #                      rows and of columns, groups
    SCATTER_SEQUENCE = 40  # synapses, start, place, delay, window
    SCATTER_GRADED = 41  # synapses, start, source, 0, window, field, drop, lift


class Field(IntEnum):
    """Rows of the state array (fields x neurons, int32)."""

    MEMBRANE = 0  # of a relay: the bit of its winner; of a tally nothing
    COUNT = 1
    PREVIOUS = 2
    APICAL = 3
    RETRO = 4
    FIRED = 5  # a mask: all bits set where the neuron spiked in the last step
    MEAN = 6
    VARIANCE = 7
    DEVIATION = 8


FIELD_OF = {
    Quantity.COUNT: Field.COUNT,
    Quantity.PREVIOUS_COUNT: Field.PREVIOUS,
    Quantity.APICAL: Field.APICAL,
    Quantity.RETRO: Field.RETRO,
    Quantity.DEVIATION: Field.DEVIATION,
    Quantity.WINNER: Field.MEMBRANE,
}
# Codes of post factors: a state field, or one of these functions of them; -1 is the factor 1.
SURROGATE, PREVIOUS_SURROGATE, CHANGE, ONE = 100, 101, 102, -1
FUNCTIONS = {
    Quantity.SURROGATE: SURROGATE,
    Quantity.PREVIOUS_SURROGATE: PREVIOUS_SURROGATE,
    Quantity.CHANGE: CHANGE,
}
RECTIFIED = {"": 0, "half": 1, "full": 2}
COMPARTMENT_FIELD = {Compartment.APICAL: Field.APICAL, Compartment.RETRO: Field.RETRO}

OPERANDS = 24
