"""Norse's neurons, as its functional steps compute them (version 1.1), by forward Euler.

Each step takes what arrives into the current, moves the potential, decays the current, and then
spikes and resets; so the current that the potential sees is i[t] = (1 - dt/tau_syn) i[t-1] + x[t].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from norse.torch import (
    IAF,
    LI,
    LIF,
    IAFCell,
    LIBoxCell,
    LICell,
    LIFBoxCell,
    LIFCell,
    LIFRecurrent,
    LIFRecurrentCell,
    LILinearCell,
)
from norse.torch.functional import reset
from torch import nn

from compiler.frontends.live.parts import Part, array, chain, per_neuron
from compiler.frontends.live.recording import Call
from compiler.frontends.refusals import UnsupportedError
from compiler.source import Edge, Linear, Neuron, Reset, SynapticCurrent

ONE = np.ones(())


def read_neuron(module: nn.Module, call: Call, leading: int) -> Part:
    """The nodes of a neuron of Norse; UnsupportedError for what is not taken."""
    return NEURONS[type(module)](module, tuple(call.shape[leading:]))


def _neuron(module: Any, shape: tuple[int, ...]) -> Neuron:
    """Any of Norse's neurons, by the parameters that its kind has."""
    p = module.p
    threshold, resets, value = None, Reset.NONE, np.zeros(())
    if hasattr(p, "v_th"):
        method = getattr(p, "reset_method", reset.reset_value)
        if method not in (reset.reset_value, reset.reset_subtract):
            raise UnsupportedError(
                f"reset_method is {getattr(method, '__name__', method)}",
                "use reset_value or reset_subtract of norse.torch.functional.reset",
            )
        subtracts = method is reset.reset_subtract
        resets = Reset.SUBTRACT_AT_ONCE if subtracts else Reset.ZERO_AT_ONCE
        threshold, value = per_neuron(p.v_th, shape), per_neuron(p.v_reset, shape)
    if not hasattr(p, "tau_mem_inv"):  # IAF, which starts where it is reset to
        return Neuron(ONE, ONE, np.zeros(()), threshold, resets, value, initial=value)
    rate = per_neuron(module.dt * p.tau_mem_inv, shape)
    rest = per_neuron(p.v_leak, shape)
    current = None
    if hasattr(p, "tau_syn_inv"):
        current = SynapticCurrent(1 - per_neuron(module.dt * p.tau_syn_inv, shape), ONE)
    return Neuron(1 - rate, rate, rate * rest, threshold, resets, value, rest, current)


def _cell(module: Any, shape: tuple[int, ...]) -> Part:
    return chain(("", _neuron(module, shape)), state="")


def _recurrent(module: Any, shape: tuple[int, ...]) -> Part:
    size = (int(module.hidden_size),)
    nodes = {
        "weights": Linear(array(module.input_weights)),
        "": _neuron(module, size),
        "recurrent": Linear(array(module.recurrent_weights)),
    }
    edges = (Edge("weights", ""), Edge("", "recurrent", delayed=True), Edge("recurrent", ""))
    return Part(nodes, edges, "weights", "", "")


def _linear(module: Any, shape: tuple[int, ...]) -> Part:
    size = (int(module.hidden_size),)
    weights = ("weights", Linear(array(module.input_weights)))
    return chain(weights, ("", _neuron(module, size)), state="")


NEURONS: dict[type, Callable[[Any, tuple[int, ...]], Part]] = {
    LIFCell: _cell,
    LIF: _cell,
    LIFBoxCell: _cell,
    LICell: _cell,
    LI: _cell,
    LIBoxCell: _cell,
    IAFCell: _cell,
    IAF: _cell,
    LIFRecurrentCell: _recurrent,
    LIFRecurrent: _recurrent,
    LILinearCell: _linear,
}
SEQUENCES = (LIF, LI, IAF, LIFRecurrent)
ONE_STATE = "use LIFCell or LIFBoxCell and train again: a soma has one potential and one current"
UNSUITED = {
    "LSNN": ("its threshold adapts to its own spikes, and that of a soma stays", ONE_STATE),
    "LIFAdEx": ("a second current adapts, and the potential grows exponentially", ONE_STATE),
    "LIFEx": ("its potential grows exponentially, and that of a soma decays only", ONE_STATE),
    "LIFRefrac": ("it counts steps in which it cannot spike, and a soma has no counter", ONE_STATE),
    "LIFMC": ("its compartments are coupled by their potentials", ONE_STATE),
    "LIFCorrelation": ("it carries correlations beside its potential", ONE_STATE),
    "Izhikevich": ("its potential is squared, and a soma only multiplies by constants", ONE_STATE),
    "CobaLIF": ("its inputs are conductances, which multiply its potential", ONE_STATE),
    "RecurrentSequential": (
        "it feeds its result back inside itself, as one call does not show",
        "use LIFRecurrentCell, or write the loop over time in forward",
    ),
}
"""Neurons that no soma here computes, by how their names begin: why, and what would be right."""
