"""What one core of a machine holds and can do, and how many cores there are.

Each limit says what it counts, its unit, and the values that are possible. Those that may be None
bind nothing on a machine whose file leaves them out. Bits include the sign unless said otherwise.
`docs/targets.md` explains each of them and where it is checked.
"""

from __future__ import annotations

from typing import Annotated

from compiler.targets.figures import Capability, Figure, Section, Whole

MOST = 2**40  # more cores, neurons or bytes than any machine has; integers stay exact in floats


def _count(what: str, *units: str, least: int = 1) -> Whole:
    return Whole(what, units, least, MOST)


def _bits(what: str, least: int = 0) -> Whole:
    return Whole(what, ("bits",), least, 64)


class Limits(Section):
    """The limits of a core, of a chip and of the largest board."""

    cores_per_chip: Annotated[Figure, _count("cores of a chip", "cores")]
    usable_cores_per_chip: Annotated[Figure, _count("cores that programs may use", "cores")]
    chips: Annotated[Figure, _count("chips of the board", "chips")]
    neurons_per_core: Annotated[Figure, _count("neurons of a core", "neurons", "compartments")]
    state_bytes_per_core: Annotated[
        Figure | None, _count("state of all neurons of a core", "bytes")
    ] = None
    synaptic_bytes_per_core: Annotated[Figure, _count("synaptic memory of a core", "bytes")]
    axons_in_per_core: Annotated[Figure, _count("sources that a core listens to", "axons")]
    axons_out_per_core: Annotated[
        Figure, _count("cores that a core's neurons send to, summed over the neurons", "axons")
    ]
    fan_in_per_neuron: Annotated[Figure, _count("axons that end on a neuron", "synapses")]

    weight_bits: Annotated[Figure, _bits("a weight", least=2)]
    smallest_weight_exponent: Annotated[
        Figure | None, Whole("a weight counts 2^(6 + exponent), at least", ("log2",), -64, 64)
    ] = None
    largest_weight_exponent: Annotated[
        Figure | None, Whole("a weight counts 2^(6 + exponent), at most", ("log2",), -64, 64)
    ] = None

    longest_delay: Annotated[
        Figure | None,
        _count(
            "for how long a spike is held back, beside the step of every message", "steps", least=0
        ),
    ] = None
    delay_bits: Annotated[Figure, _bits("the delay stored with a synapse")]
    tag_bits: Annotated[Figure, _bits("the tag of a synapse that learns; 0: none")]
    index_bits: Annotated[
        Figure | None, _bits("the largest index of a target in a sparse list")
    ] = None
    smallest_index_bits: Annotated[Figure | None, _bits("the smallest such index but 0")] = None
    word_bits: Annotated[
        Figure, Whole("unit of synaptic memory: lists are padded to it", ("bits",), 1, 2**16)
    ]
    synapses_per_block: Annotated[Figure, _count("synapses of a block of a list", "synapses")]
    block_overhead_bits: Annotated[Figure, Whole("head of a block", ("bits",), 0, 2**16)]

    payload_bits: Annotated[Figure, _bits("the payload of a message", least=1)]
    accumulator_bits: Annotated[Figure, _bits("what arrives at a neuron in a step", least=2)]
    membrane_bits: Annotated[Figure | None, _bits("a membrane potential", least=2)] = None
    decay_bits: Annotated[Figure | None, _bits("a decay, as a fraction without sign", least=1)] = (
        None
    )
    threshold_bits: Annotated[
        Figure | None, _bits("the mantissa of a threshold, without sign", least=1)
    ] = None
    threshold_shift: Annotated[
        Figure | None, _bits("a threshold is its mantissa shifted left by so many")
    ] = None
    bias_bits: Annotated[Figure | None, _bits("the mantissa of a bias, without sign", least=1)] = (
        None
    )
    bias_exponent: Annotated[
        Figure | None, Whole("a bias is its mantissa times 2^0 to 2^this", ("log2",), 0, 64)
    ] = None

    trace_bits: Annotated[Figure, _bits("a trace, without sign")]
    post_registers: Annotated[
        Figure, _count("post values that a synapse can read", "registers", least=0)
    ]
    learning_epoch: Annotated[Figure, _count("longest learning epoch", "steps", least=0)]
    decimation_exponent: Annotated[Figure, Whole("largest k of u_k", ("log2 steps",), 0, 64)]

    compartment_configurations: Annotated[
        Figure | None, _count("kinds of neuron on a core", "entries")
    ] = None
    threshold_configurations: Annotated[
        Figure | None, _count("thresholds of a core", "entries")
    ] = None
    synapse_formats: Annotated[
        Figure | None, _count("formats of synapses on a core", "entries")
    ] = None


class Capabilities(Section):
    """What the lowering may rely on."""

    graded_spikes: Capability
    programmable_soma: Capability
    learning: Capability
    third_factor: Capability  # one neuron's message can be another neuron's third factor
    all_plastic_or_none: Capability  # a core's synapses are either all plastic or all static
    # a core stores a kernel once, and one axon leads to all channels of a position
    shared_kernels: Capability = Capability(
        value=False,
        grade="C",
        source="not stated: each position's synapses are stored",
        public=False,
    )
    # a message from another core, or from the host, leads to a list of synapses
    axon_lists: Capability = Capability(
        value=True,
        grade="C",
        source="not stated: as on Loihi",
        public=False,
    )
