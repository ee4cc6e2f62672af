"""VGG-6 on a chip: what its shapes say, and which limits bind where it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from conv_network import conv_network
from split_maps import TARGET, machine, of

from compiler.events.neurobench import synapses_of
from compiler.ir import Connection
from compiler.passes.placing.demand import demands
from compiler.passes.placing.place import CoreLimitError, place
from compiler.passes.placing.usage import AXONS_IN, AXONS_OUT, FAN_IN, MEMORY, NEURONS
from compiler.pipeline import compile_network
from compiler.program import Program, Synapses


def vgg(channels: tuple[int, ...]) -> Program:
    """VGG-6 on 16x16 patches, with so many channels: weights are zero, which costs no time."""
    network = conv_network((16, 16), (2, *channels), (2, 4, 5, 6), gain=0.0)
    return compile_network(network, TARGET).program


def test_vgg_6_needs_what_its_shapes_say():
    program = vgg((128, 256, 256, 512, 1024, 1024))
    asked = demands(program)
    layers = [of(asked, f"layer{n}").neurons for n in range(1, 7)]
    assert layers == [32_768, 65_536, 16_384, 32_768, 16_384, 4_096]
    kernels = sum(s.weights.size for s in program.synapses if s.weights.ndim == 4)
    assert kernels == 16_221_312 - 128 * 9 + 128 * 9 * 2  # one channel of input there, two here
    placement = place(program, TARGET)
    assert placement.chips == -(-len(placement.cores) // 120)
    counts = placement.slice_counts()
    # more than kernels and neurons alone would need: blocks have a head, axons out have a limit
    for name, least in zip(range(1, 7), (4, 8, 5, 9, 36, 72), strict=True):
        assert counts[f"layer{name}"] >= least
    binding = {core.binds for core in placement.cores}
    assert AXONS_OUT in binding and NEURONS not in binding


def vgg_that_learns() -> Program:
    """VGG-6 with a kernel of its own at each position, of zeros that take no memory."""
    program = vgg((128, 256, 256, 512, 1024, 1024))
    rule = plastic_maps.program(layers=(1,), pool=(), patch=2).synapses[0].rule

    def untied(s: Synapses) -> Synapses:
        if s.connection is not Connection.CONVOLUTION:
            return s
        height, width = program.population(s.target).map[1:]
        shape = (height * width, *s.weights.shape)
        weights = np.broadcast_to(np.zeros(1, np.int8), shape)
        tags = np.broadcast_to(np.zeros(1, np.int16), shape)
        return replace(s, weights=weights, tags=tags, connection=Connection.UNTIED, rule=rule)

    return replace(program, synapses=tuple(map(untied, program.synapses)))


def test_vgg_6_that_learns_says_which_limits_bind():
    program = vgg_that_learns()
    with pytest.raises(CoreLimitError) as refused:
        place(program, TARGET)
    # kernels that learn cannot be shared, so an axon brings one channel of a position only
    beyond = {(m.node, m.limit): m.actual for m in refused.value.misfits}
    assert beyond == {
        ("layer5", AXONS_IN): 9 * 512,
        ("layer5", FAN_IN): 9 * 512,
        ("layer6", FAN_IN): 9 * 1024,
    }
    wide = machine(fan_in_per_neuron=2**14, axons_in_per_core=2**14, axons_out_per_core=2**20)
    placement = place(program, wide)
    placed = sum(s.synapses for core in placement.cores for s in core.slices)
    assert placed == sum(synapses_of(program, s) for s in program.synapses) > 230_000_000
    bits = sum(core.total("memory_bytes") for core in placement.cores) * 8 / placed
    assert 17 < bits < 24, "weight and tag have 17 bits, and lists have a head and whole words"
    assert MEMORY in {core.binds for core in placement.cores if "layer2" in str(core.slices[0])}
