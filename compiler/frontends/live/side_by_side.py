"""A live network and the graph that was read from it, run side by side from rest.

Whatever a reader overlooked shows here: a graph that does something else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clapp_neuro.errors import InputError
from compiler.frontends.agreement import agrees, differing
from compiler.frontends.live.time_step import Rolled
from compiler.source import Graph
from compiler.source.emulate import emulate

STEPS = 8  # of a network that is called once a step
STRENGTHS = (1.0, 10.0, 100.0)  # of the sample: a network that is silent on it may answer to more


def require_same(
    net: nn.Module,
    sample: Tensor,
    graph: Graph,
    rolled: Rolled,
    clear: Callable[[nn.Module], None],
    carries: bool,
) -> None:
    """InputError where they do not agree on the sample, or on random parts of it made stronger.

    clear: puts the network's own states to rest; carries: it returns and takes back its states.
    """
    generator = torch.Generator().manual_seed(1)
    masks = [torch.rand(sample.shape, generator=generator).round() for _ in STRENGTHS]
    parts = [sample * mask.to(sample) for mask in masks]
    for given in (sample, *(k * part for k, part in zip(STRENGTHS, parts, strict=True))):
        clear(net)
        if rolled.steps > 1 or rolled.timed:
            wanted = _first(_called(net, given)).detach().cpu().numpy()
            found = emulate(graph, _time_first(given, rolled).cpu().numpy()).output(graph)
            alike = list(_gathered(found, wanted.shape))
        else:
            wanted = np.stack(list(_step_by_step(net, given, carries)))
            found = emulate(graph, given.cpu().numpy(), STEPS).output(graph)
            alike = [found] if found.shape == wanted.shape else []
        if not alike:
            raise InputError(
                f"the network returns {wanted.shape} where its last layer makes {found.shape}: "
                "return the last layer's results, stacked over time, their sum or their mean"
            )
        if not any(agrees(a, wanted) for a in alike):
            raise InputError(_difference(alike[0], wanted))


def _step_by_step(net: nn.Module, sample: Tensor, carries: bool) -> Iterator[np.ndarray]:
    states = None
    for _ in range(STEPS):
        result = _called(net, sample, *([] if states is None else [states]))
        if carries and isinstance(result, tuple) and len(result) == 2:
            states = result[1]
        yield _first(result).detach().cpu().numpy().copy()


def _called(net: nn.Module, *given: Any) -> Any:
    with torch.no_grad():
        return net(*given)


def _first(result: Any) -> Tensor:
    while not isinstance(result, Tensor):
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]
    return result


def _time_first(sample: Tensor, rolled: Rolled) -> Tensor:
    if not rolled.timed:
        return sample.expand(rolled.steps, *sample.shape)
    return sample.movedim(rolled.axis, 0)


def _gathered(found: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """What may be returned of all steps: stacked in either order, summed, their mean, the last."""
    for made in (found, found.swapaxes(0, 1), found.sum(0), found.mean(0), found[-1]):
        if made.shape == shape:
            yield made


def _difference(found: np.ndarray, wanted: np.ndarray) -> str:
    place, has, gives = differing(found, wanted)
    return (
        f"the network does something that its layers alone do not do: at {place} of its results "
        f"it returns {has:.6g} where they give {gives:.6g}; carry nothing from "
        "step to step but the neurons' states, or run the loop over time inside forward"
    )
