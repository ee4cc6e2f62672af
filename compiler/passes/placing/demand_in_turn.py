"""What kernels that learn in turn ask for beside their layer: buffers and learners.

`compiler.turns` says what they do. A buffer for each channel and place of the window hears all
positions of its channel below, a learner for each channel all positions of its channel of the map.
Shared kernels themselves are static.
"""

from __future__ import annotations

from compiler.passes.placing.needs import Demand, Incoming, Outgoing
from compiler.passes.placing.settings import Settings
from compiler.program import Program, Synapses
from compiler.terms import Connection
from compiler.turns import (
    buffers_of,
    counts_of,
    learners_of,
    post_values_of,
    traces_of,
    turns_of,
)

COUNTS_A_WORD = 4  # payloads of 8 bits that a buffer keeps in a word of its state


def demands_in_turn(
    program: Program, s: Synapses, rule: int, kinds: tuple[Settings, Settings]
) -> tuple[Demand, Demand]:
    """Of the learners and of the buffers; `rule` is the rule's number, `kinds` their neurons'."""
    source, target = program.population(s.source).map, program.population(s.target).map
    out, channels, kernel, _ = s.weights.shape
    window = (channels, kernel, kernel)
    weight_bits, tag_bits = (n.bit_length() + 1 for n in (program.weight_max, program.tag_max))
    bits = weight_bits + tag_bits
    traces = Incoming(traces_of(s), window, Connection.ALL_TO_ALL, None, bits, True, rule)
    told = Incoming(post_values_of(s), target, Connection.GATHER, None, weight_bits, False)
    heard = Incoming(counts_of(s), source, Connection.GATHER, None, weight_bits, False)
    words = 1 + -(-turns_of(program, s).kept // COUNTS_A_WORD)  # what it passes on, what it keeps
    back = (Outgoing(learners_of(s), None, False),)
    none = Settings(None)
    return (
        Demand(learners_of(s), (out, 1, 1), 1, (traces, told), (), kinds[0], none),
        Demand(buffers_of(s), window, words, (heard,), back, kinds[1], none),
    )
