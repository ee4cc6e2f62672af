"""snnTorch's neurons, as their own forward functions step them (version 1.0).

All compare before they reset: with `reset_delay` (the default) the membrane potential that crossed
the threshold is reset in the next step, and what a zero reset clears then differs from class to
class: Leaky clears the old potential, RLeaky, Lapicque, Synaptic and RSynaptic also what has just
arrived at the membrane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import snntorch
import torch
from snntorch import LeakyParallel
from torch import nn

from compiler.frontends.live.parts import Part, array, chain, per_neuron
from compiler.frontends.live.recording import Call
from compiler.frontends.refusals import UnsupportedError
from compiler.source import (
    Convolution,
    Delay,
    Edge,
    Linear,
    Neuron,
    Node,
    Reset,
    Scale,
    SynapticCurrent,
)

ONE, ZERO = np.ones(()), np.zeros(())


def read_neuron(module: nn.Module, call: Call, leading: int) -> Part:
    """The nodes of a neuron of snnTorch; UnsupportedError for what is not taken."""
    return NEURONS[type(module)](module, tuple(call.shape[leading:]))


def _leaky(module: Any, shape: tuple[int, ...]) -> Part:
    neuron = Neuron(
        decay=_clamped(module.beta, shape),
        gain=ONE,
        leak=ZERO,
        threshold=per_neuron(module.threshold, shape),
        reset=_reset(module, Reset.ZERO),
    )
    return _spiking(module, neuron)


def _synaptic(module: Any, shape: tuple[int, ...]) -> Part:
    return _spiking(module, _with_current(module, shape))


def _lapicque(module: Any, shape: tuple[int, ...]) -> Part:
    r, c, step = (array(v) for v in (module.R, module.C, module.time_step))
    neuron = Neuron(
        decay=per_neuron(1 - step / (r * c), shape),
        gain=per_neuron(r * (1 / (r * c)) * step, shape),
        leak=ZERO,
        threshold=per_neuron(module.threshold, shape),
        reset=_reset(module, Reset.CLEAR),
    )
    return _spiking(module, neuron)


def _recurrent_leaky(module: Any, shape: tuple[int, ...]) -> Part:
    neuron = Neuron(
        decay=_clamped(module.beta, shape),
        gain=ONE,
        leak=ZERO,
        threshold=per_neuron(module.threshold, shape),
        reset=_reset(module, Reset.CLEAR),
    )
    return _spiking(module, neuron, _recurrence(module, shape))


def _recurrent_synaptic(module: Any, shape: tuple[int, ...]) -> Part:
    if not module.reset_delay:
        raise UnsupportedError(
            "reset_delay is False, which snnTorch's RSynaptic reads and does not apply",
            "set reset_delay=True",
        )
    return _spiking(module, _with_current(module, shape), _recurrence(module, shape))


def _parallel(module: Any, shape: tuple[int, ...]) -> Part:
    """h <- max(0, W x + b_x + diag(w) h + b_h), spikes where h > threshold, never reset."""
    rnn = module.rnn
    recurrent = array(rnn.weight_hh_l0)
    decay = np.diag(recurrent).copy()
    if (recurrent - np.diag(decay)).any():
        raise UnsupportedError(
            "weight_hh has entries off its diagonal, which feed back membrane potentials",
            "leave weight_hh_enable False",
        )
    asked = None if module.beta is None else array(module.beta).ravel()
    if asked is not None:
        if asked.size not in (1, decay.size):
            raise UnsupportedError(
                f"beta has {asked.size} values for {decay.size} neurons",
                f"give one value or {decay.size}",
            )
        if not np.allclose(np.broadcast_to(asked, decay.shape), decay, atol=1e-7):
            raise UnsupportedError(
                "beta has a value a neuron, which this snnTorch ignores: it decays by "
                f"{decay[0]:.3g} where beta says {asked[0]:.3g}",
                "copy it by hand: layer.rnn.weight_hh_l0.data = torch.diag(beta)",
            )
    if rnn.dropout:
        raise UnsupportedError(f"dropout is {rnn.dropout}", "leave it 0")
    bias = None if not rnn.bias else array(rnn.bias_ih_l0) + array(rnn.bias_hh_l0)
    hidden = (decay.size,)
    neuron = Neuron(
        decay=decay,
        gain=ONE,
        leak=ZERO,
        threshold=per_neuron(module.threshold, hidden),
        rectified=True,
    )
    _require_step(module)
    weights = ("weights", Linear(array(rnn.weight_ih_l0), bias))
    return chain(weights, ("", neuron), *_factor(module), state="")


def _alpha(module: Any, shape: tuple[int, ...]) -> Part:
    """A difference of two exponentials: one through the other, one step later, without a reset.

    With e = alpha e + x, k = beta k - x and mem = tau_alpha (e + k), mem[t] is
    tau_alpha (alpha - beta) v[t-1] of  i = alpha i + x, v = beta v + i.
    """
    if module.reset_mechanism != "none":
        raise UnsupportedError(
            f"Alpha with reset_mechanism '{module.reset_mechanism}' clears both of its currents, "
            "and a soma here has one, which no spike changes",
            "give it reset_mechanism='none', or use Synaptic",
        )
    alpha, beta = (v.detach().double().clamp(0, 1) for v in (module.alpha, module.beta))
    tau = torch.log(alpha) / (torch.log(beta) - torch.log(alpha)) + 1
    neuron = Neuron(
        decay=_clamped(module.beta, shape),
        gain=per_neuron(tau * (alpha - beta), shape),
        leak=ZERO,
        threshold=per_neuron(module.threshold, shape),
        current=SynapticCurrent(_clamped(module.alpha, shape), ONE),
    )
    part = _spiking(module, neuron)
    late = {"late": Delay(np.ones((), int))}
    return replace(
        part,
        nodes={**late, **part.nodes},
        edges=(Edge("late", ""), *part.edges),
        entry="late",
    )


def _with_current(module: Any, shape: tuple[int, ...]) -> Neuron:
    return Neuron(
        decay=_clamped(module.beta, shape),
        gain=ONE,
        leak=ZERO,
        threshold=per_neuron(module.threshold, shape),
        reset=_reset(module, Reset.CLEAR),
        current=SynapticCurrent(_clamped(module.alpha, shape), ONE),
    )


def _spiking(module: Any, neuron: Neuron, recurrence: Node | None = None) -> Part:
    """The neuron, what multiplies its spikes, and what brings them back one step later."""
    if module.inhibition:
        raise UnsupportedError(
            "inhibition is True: only the largest of a layer may spike", "set inhibition=False"
        )
    if module.state_quant:
        raise UnsupportedError(
            "state_quant rounds its states", "leave it out: the compiler rounds for the target"
        )
    assert neuron.threshold is not None
    if (neuron.threshold < 0).any():
        raise UnsupportedError(
            f"threshold is {neuron.threshold.min():g}: it is crossed at rest", "give 0 or more"
        )
    _require_step(module)
    part = chain(("", neuron), *_factor(module), state="")
    if recurrence is None:
        return part
    edges = (*part.edges, Edge(part.leaves, "recurrent", delayed=True), Edge("recurrent", ""))
    return Part({**part.nodes, "recurrent": recurrence}, edges, "", part.leaves, "")


def _factor(module: Any) -> tuple[tuple[str, Node], ...]:
    factor = array(module.graded_spikes_factor)
    if not (factor != 0).all():
        raise UnsupportedError("graded_spikes_factor is 0", "give another factor")
    if (factor == 1).all():
        return ()
    return (("factor", Scale(factor.reshape(()) if factor.size == 1 else factor, ZERO)),)


def _require_step(module: Any) -> None:
    """UnsupportedError where the surrogate's forward function is no step at 0, or a random one."""
    probe = torch.tensor([-1.0, -1e-3, 0.0, 1e-3, 1.0])
    with torch.no_grad():
        found = [module.spike_grad(probe.clone()) for _ in range(3)]
    if any(not torch.equal(f, (probe > 0).to(probe)) for f in found):
        raise UnsupportedError(
            "spike_grad spikes otherwise than where the membrane potential exceeds the threshold",
            "use a surrogate whose forward function is a step, like surrogate.atan()",
        )


def _reset(module: Any, zero: Reset) -> Reset:
    """The reset as its code does it; `zero`: what a zero reset with delay does in this class."""
    kind = module.reset_mechanism
    delayed = getattr(module, "reset_delay", True)
    if kind == "none":
        return Reset.NONE
    if kind == "zero":
        return zero if delayed else Reset.ZERO_AT_ONCE
    return Reset.SUBTRACT if delayed else Reset.SUBTRACT_ONCE


def _clamped(decay: Any, shape: tuple[int, ...]) -> np.ndarray:
    """beta and alpha are clamped to 0 to 1 wherever snnTorch uses them."""
    return np.clip(per_neuron(decay, shape), 0.0, 1.0)


def _recurrence(module: Any, shape: tuple[int, ...]) -> Node:
    inner = module.recurrent
    if isinstance(inner, nn.Linear):
        return Linear(array(inner.weight), None if inner.bias is None else array(inner.bias))
    if isinstance(inner, nn.Conv2d):
        return Convolution(
            array(inner.weight),
            None if inner.bias is None else array(inner.bias),
            tuple(inner.stride),
            tuple((int(p), int(p)) for p in inner.padding),
            tuple(inner.dilation),
            inner.groups,
        )
    return Scale(per_neuron(inner.V, shape), ZERO)


NEURONS: dict[type, Callable[[Any, tuple[int, ...]], Part]] = {
    snntorch.Leaky: _leaky,
    snntorch.Synaptic: _synaptic,
    snntorch.Lapicque: _lapicque,
    snntorch.RLeaky: _recurrent_leaky,
    snntorch.RSynaptic: _recurrent_synaptic,
    LeakyParallel: _parallel,
    snntorch.Alpha: _alpha,
}
SEQUENCES = (LeakyParallel,)
HIDDEN = ("mem", "syn", "syn_exc", "syn_inh", "spk")  # buffers in which a neuron keeps its states
