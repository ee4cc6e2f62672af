"""Networks whose kernels have any stride, padding, dilation and groups; and what torch says."""

from __future__ import annotations

import numpy as np
import torch
from fuzz.drawn import SEEDS, Draw
from hypothesis import strategies as st

from compiler.ir import (
    Compartment,
    Connection,
    Geometry,
    Map,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
)
from compiler.program import Synapses

INPUTS = ("binary", "graded", "intensities", "rates")


def along(draw: Draw, side: int, ends: int | None = None) -> tuple[int, int, int, int, int]:
    """Kernel, stride, padding, dilation and targets of one axis; `ends` targets where given."""
    kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, dilation * (kernel - 1)))
    most_stride = 3 if ends is None else max(1, (side + padding - 1) // max(1, ends - 1))
    stride = draw(st.integers(1, min(3, most_stride)))
    most = (side + padding - 1) // stride + 1
    return kernel, stride, padding, dilation, draw(st.integers(1, most)) if ends is None else ends


@st.composite
def kernels(
    draw: Draw, name: str, source: Population, target: str, onto: Map | None = None, delay: int = 0
) -> tuple[Projection, Map]:
    """Kernels from a map, and the map that they lead to, `onto` where given."""
    shape = source.map
    sides = (None, None) if onto is None else onto[1:]
    rows, columns = (along(draw, shape[1 + i], ends) for i, ends in enumerate(sides))
    fitting = [g for g in (1, 2, 3) if shape[0] % g == 0 and (onto is None or onto[0] % g == 0)]
    groups = draw(st.sampled_from(fitting))
    channels = groups * draw(st.sampled_from([1, 2, 9])) if onto is None else onto[0]
    random = np.random.default_rng(draw(SEEDS))
    weights = random.normal(0, 1, (channels, shape[0] // groups, rows[0], columns[0]))
    geometry = Geometry(*zip(rows[1:4], columns[1:4], strict=True), groups=groups)
    projection = Projection(
        name,
        source.name,
        target,
        Compartment.SOMA,
        weights,
        connection=Connection.CONVOLUTION,
        delay=delay,
        geometry=geometry,
    )
    return projection, (channels, rows[4], columns[4])


@st.composite
def strided(draw: Draw, kinds: tuple[str, ...] = INPUTS) -> Network:
    """An input, a layer that may hear itself, and a readout of what arrives in each step."""
    shape = draw(st.sampled_from([1, 2, 3, 6])), draw(st.integers(1, 8)), draw(st.integers(1, 8))
    kind = draw(st.sampled_from(kinds))
    sequence = {"binary": 1, "graded": 15}.get(kind, 0)
    source = Population(
        "input",
        int(np.prod(shape)),
        0,
        scale=1 / (sequence or 255),
        shape=shape,
        sequence=sequence,
        spikes=kind == "rates",
    )
    first, onto = draw(kernels("first", source, "layer"))
    layer = Population("layer", int(np.prod(onto)), 1, Neuron(0.9, 0.7), shape=onto)
    second, last = draw(kernels("second", layer, "readout"))
    readout = Population("readout", int(np.prod(last)), 2, Neuron(0.0, None), shape=last)
    projections = [first, second]
    if draw(st.booleans()):
        projections.append(draw(kernels("again", layer, "layer", onto, delay=1))[0])
    return Network((source, layer, readout), tuple(projections), Schedule(draw(st.integers(1, 6))))


def convolved(s: Synapses, sent: np.ndarray, source: Map, target: Map) -> np.ndarray:
    """What torch's convolution makes of messages (T, N), in integers (T, N_target)."""
    how = s.geometry
    assert how.padding is not None
    after = [
        max(0, (end - 1) * stride + dilation * (width - 1) + 1 - padding - side)
        for end, stride, dilation, width, padding, side in zip(
            target[1:], how.stride, how.dilation, s.weights.shape[2:], how.padding, source[1:],
            strict=True,
        )
    ]  # fmt: skip
    maps = torch.from_numpy(sent.astype(np.int64)).reshape(-1, *source)
    around = (how.padding[1], after[1], how.padding[0], after[0])
    found = torch.conv2d(
        torch.nn.functional.pad(maps, around),
        torch.from_numpy(s.weights.astype(np.int64)),
        stride=how.stride,
        dilation=how.dilation,
        groups=how.groups,
    )
    return found[:, :, : target[1], : target[2]].reshape(len(sent), -1).numpy()
