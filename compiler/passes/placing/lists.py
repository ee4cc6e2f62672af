"""What an axon list takes of a core's synaptic memory.

n synapses take, in blocks of at most `synapses_per_block` (nengo-loihi's formula),

    sum over blocks of ceil(n * (weight + delay + tag + index bits) + overhead bits, word bits)

Static synapses have no tag. The index says on which neuron a synapse ends, counted from where the
list begins; a list whose targets follow one another without a gap needs none.
"""

from __future__ import annotations

from compiler.targets import Limits


def list_bytes(synapses: int, synapse_bits: int, limits: Limits) -> int:
    """Synaptic memory of one axon list in bytes; `synapse_bits` are all but the delay's."""
    if synapses == 0:
        return 0
    bits = synapse_bits + int(limits.delay_bits.value)
    block, word = int(limits.synapses_per_block.value), int(limits.word_bits.value)
    overhead = int(limits.block_overhead_bits.value)

    def padded(n: int) -> int:
        return -(-(n * bits + overhead) // word) * word

    full, rest = divmod(synapses, block)
    return (full * padded(block) + (padded(rest) if rest else 0)) // 8


def index_bits(synapses: int, span: int, limits: Limits) -> int:
    """Bits of the index in a list of so many synapses, the first and last `span` neurons apart.

    They may be more than the machine has, which `compiler.passes.placing.place` refuses. Machines
    that describe no index have none.
    """
    if limits.index_bits is None or synapses == span:
        return 0
    least = 0 if limits.smallest_index_bits is None else int(limits.smallest_index_bits.value)
    return max(least, (span - 1).bit_length())
