"""Synapses that learn at every time step: populations go step by step, and so do their epochs.

Weights may change between two steps of a presentation. In a time step neurons first integrate what
arrived and spike, spikes leave through the weights of before, then synapses learn. An epoch at the
source's tau sees the target's spikes of that same time step, which is at the target's own tau minus
the levels that the projection climbs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from compiler.backends.tensor import rounding, somata, sum_of_products
from compiler.backends.tensor.exact import summed
from compiler.backends.tensor.machine import Machine, Todo
from compiler.backends.tensor.presentation import conclude, show
from compiler.products import POST, PRE, TRACES
from compiler.program import REGISTERS, TRACE_MAX, ProgramPopulation, Soma, Synapses
from compiler.rounding import trace_stream
from compiler.terms import Compartment


def presentation(m: Machine, population: ProgramPopulation) -> Iterator[Todo]:
    """The population's neurons, step by step, and what they send, at its own time."""
    if population.soma is None:
        yield 0, partial(show, m, population)
    else:
        for tau in range(m.steps):
            yield tau, partial(_step, m, population, tau)
    for s in m.program.leaving[population.name]:
        if s.compartment is not Compartment.SOMA:
            continue
        if not population.spiking:
            yield 0.3, partial(_hold, m, s)
            continue
        for tau in range(m.steps):
            yield tau + 0.3, partial(_send, m, s, tau)


def epochs(m: Machine, s: Synapses, began: int) -> Iterator[Todo]:
    """An epoch at every step of the source's own time, in that of the target.

    began: the time step in which the source's fixation begins.
    """
    source, target = m.program.population(s.source), m.program.population(s.target)
    for tau in range(m.program.timetable.period):
        other = tau - (target.level - source.level)
        yield other + 0.4, partial(_learn, m, s, tau, other, began + tau)


def _step(m: Machine, population: ProgramPopulation, tau: int) -> None:
    """One step of neurons; the first begins from rest, the last counts the outcome."""
    name, soma = population.name, population.soma
    assert isinstance(soma, Soma), "no relays beside rules that learn at any step"
    state = m.state[name]
    if tau == 0:
        state["membrane"] = m.zeros(population.size)
        m.spikes[name] = m.zeros(m.steps, population.size).bool()
    spikes = m.spikes[name]
    before = spikes[:, tau - 1] if tau else torch.zeros_like(spikes[:, 0])
    current = m.arrived[name] + m.held[name]
    drive = (current << soma.input_shift) + m.bias[name]
    v, fired, active, clipped = somata.step(soma, state["membrane"], before, drive)
    state["membrane"] = v
    spikes[:, tau] = fired
    m.arrived[name] = torch.zeros_like(v)
    m.counters.update(population, active[:, None], clipped, first=tau)
    if m.logs:
        m.membrane.setdefault(name, []).append(v)
    if tau == m.steps - 1:
        m.held[name] = torch.zeros_like(v)
        conclude(m, population)


def _send(m: Machine, s: Synapses, tau: int) -> None:
    """This step's spikes, through the weights as they are now, into the target's next step."""
    fired = m.spikes[s.source][:, tau : tau + 1]
    m.arrived[s.target] = m.arrived[s.target] + summed(fired, m.numbers[s.name])[:, 0]


def _hold(m: Machine, s: Synapses) -> None:
    """A graded message's current, which holds for the whole presentation."""
    sent = m.sent(s.source, m.program.population(s.source).message(0))[:, None]
    m.held[s.target] = m.held[s.target] + summed(sent, m.numbers[s.name])[:, 0]


def _learn(m: Machine, s: Synapses, tau: int, other: int, time_step: int) -> None:
    """Traces take up this step's spikes, then every product that is due is applied."""
    rule = s.rule
    assert rule is not None
    x, sends = _presynaptic(m, s, tau)
    y, spikes = _postsynaptic(m, s, other)
    for trace in rule.traces:
        spiked = x["x0"] if trace.name in PRE else y["y0"]
        stream = trace_stream(s.index, TRACES.index(trace.name))
        values = m.traces[s.name][trace.name]
        words = rounding.words(m.key(stream, time_step), values.shape[1])
        m.traces[s.name][trace.name] = sum_of_products.follow(values, spiked, trace, words)
        (x if trace.name in PRE else y)[trace.name] = m.traces[s.name][trace.name]
    happens = {name for name, some in (("x0", sends), ("y0", spikes)) if some}
    sides = {
        "weights": sum_of_products.due(rule.dw, happens, time_step),
        "tags": sum_of_products.due(rule.dt, happens, time_step),
    }
    parts = {side: sum_of_products.parts(some, x, y) for side, some in sides.items() if some}
    if parts:
        _apply(m, s, tau, parts, y["y0"], time_step)


def _apply(
    m: Machine,
    s: Synapses,
    tau: int,
    parts: dict[str, sum_of_products.Parts],
    spiked: Tensor,
    time_step: int,
) -> None:
    """Products of weights and tags, both of which read the values of before."""
    w, t = m.weights[s.name].int(), m.tags[s.name].int()
    bits = rounding.synapse_bits(m.key(s.index, time_step), *w.shape[1:])
    counts = {}
    if "weights" in parts:
        wanted = sum_of_products.changed(w, parts["weights"], {"w": w, "t": t}, bits)
        kept = wanted.clamp(-m.program.weight_max, m.program.weight_max)
        counts["CARRIED"] = (kept != w).sum((1, 2))
        counts["WEIGHT_CLIPPED"] = (kept != wanted).sum((1, 2))
        m.weigh(s, kept.to(torch.int8))
    if "tags" in parts:
        wanted = sum_of_products.changed(t, parts["tags"], {"w": w, "t": t}, bits)
        kept = wanted.clamp(-m.program.tag_max, m.program.tag_max)
        counts["TAG_CLIPPED"] = (kept != wanted).sum((1, 2))
        m.tags[s.name] = kept.to(torch.int16)
    visits = sum_of_products.visits(parts.values(), spiked)
    m.counters.learn_at_step(s, tau, visits, counts)


def _presynaptic(m: Machine, s: Synapses, tau: int) -> tuple[sum_of_products.Values, bool]:
    """x0 to x2 of before this step's traces, and whether the source can send anything in it.

    x0 is 1 where it does. Where there is no trace x1, messages overwrite it: half of the payload,
    rounded half to even.
    """
    assert s.rule is not None
    source, traces = m.program.population(s.source), m.traces[s.name]
    message = next((p for p in source.messages if p.step == tau), None)
    sent = None
    if message is not None:
        sent = m.sent(s.source, message)
    elif source.spiking and tau < m.steps:
        sent = m.spikes[s.source][:, tau].int()
    x0 = m.zeros(source.size) if sent is None else (sent != 0).int()
    if sent is not None and all(trace.name != "x1" for trace in s.rule.traces):
        half = ((sent >> 1) + (sent & (sent >> 1) & 1)).clamp_max(TRACE_MAX)
        traces["x1"] = torch.where(sent != 0, half, traces["x1"])
    return {"x0": x0, "x1": traces["x1"], "x2": traces["x2"]}, sent is not None


def _postsynaptic(m: Machine, s: Synapses, other: int) -> tuple[sum_of_products.Values, bool]:
    """y0 to y3 of before this step's traces, and whether the target can spike in it.

    Registers hold what the soma writes in this step, and 0 where it writes nothing.
    """
    target = m.program.population(s.target)
    spikes = target.soma is not None and 0 <= other < m.steps
    nothing = m.zeros(target.size)
    y = dict.fromkeys(POST, nothing)
    if spikes:
        y["y0"] = m.spikes[s.target][:, other].int()
    written = {value.register for value in target.post_values if value.step == other}
    y |= {name: m.post[s.target, name] for name in REGISTERS if name in written}
    return y, spikes
