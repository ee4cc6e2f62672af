"""Widths and ranges of the integers that every engine agrees on."""

ACCUMULATOR_BITS = 7  # fraction bits of a tag or weight in the learning engine (Loihi: 15+sign)
EXPONENTS = range(-7, -2)  # of dt: below, a negative shift; above, products beyond 15 bits
REGISTERS = ("y1", "y2", "y3")  # the post values that a synapse sees
MACHINE = "machine"  # key of a program's provenance: the machine, where it is not one that ships
DECAY_ONE = 4096  # a decay of 1, in 12 bits
MEMBRANE_BITS = 23  # and a sign: potentials, accumulators, scores
MEMBRANE_MAX = (1 << MEMBRANE_BITS) - 1
LARGEST_WEIGHT = 127  # weights are int8; no target's weight_max is larger
TRACE_MAX = 127  # 7 bits of a pre- or post-synaptic trace; post values also have a sign
NORM_BITS = 8  # fraction bits of a norm ...
RECIPROCAL_BITS = 28  # ... of its reciprocal, scaled by 2^-NORM_BITS ...
SCORE_BITS = 16  # ... and what a score is lifted by before it is divided by the norm
PRODUCT_SHIFT = 3  # the engine drops these low bits of pre * post (two 7-bit traces, mantissa 4)
TAG_UNITS = 64  # tag units in one weight unit
FINEST = 6  # as exponent: what learns in turn counts in 1/64 of the kernels' units at most
