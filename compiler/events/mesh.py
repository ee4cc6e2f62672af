"""Where cores lie on the mesh, and what crosses it: axons at both ends, hops by direction.

A message is one packet for each core that it reaches, however many projections end there, routed
along the columns first, then along the rows. The host, which brings inputs and labels, sits at the
first router.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from compiler.connectivity import Window, windows, within_channels
from compiler.events.moments import Cause
from compiler.events.records import Events, GateEvents, PopulationEvents, ProjectionEvents
from compiler.passes.placing.part import Part
from compiler.passes.placing.placement import Placement, Slice
from compiler.targets.costs import Routing


@dataclass(frozen=True)
class Traffic:
    """What a phase of a run sends: packets by core (C,), and sums over all packets.

    Activity is counted per population, so numbers are means, not always whole ones. `longest` is
    the largest distance (east-west, north-south) of any packet, in hops. `senders` has what each
    sender adds to `axons_in` and `axons_out`.
    """

    axons_in: np.ndarray
    axons_out: np.ndarray
    senders: dict[str, tuple[np.ndarray, np.ndarray]]
    host_messages: float  # injected intensities and labels, before they fan out
    east_west: float
    north_south: float
    chip_crossings: float
    longest: tuple[int, int]


class _Place(NamedTuple):
    """What lies on a core; the host is core -1."""

    core: int
    part: Slice | Part


class _Flow(NamedTuple):
    """Messages from the neurons of some slices to all slices that they reach.

    Flows of one `sender` are the same messages, as far as they go to the same core.
    """

    sender: str
    sources: list[_Place]
    targets: list[_Place]
    reach: np.ndarray  # (sources, targets): the share of a source's messages that arrives
    inference: float
    learning: float


def traffic(events: Events, placement: Placement, routing: Routing) -> tuple[Traffic, Traffic]:
    """Packets and hops of inference, and of learning."""
    spots, chips = _coordinates(placement, routing)
    flows = sorted(_flows(events, placement), key=lambda flow: flow.sender)
    sent = {
        name: _packets(list(same)) for name, same in groupby(flows, key=lambda flow: flow.sender)
    }
    found = []
    for number, phase in enumerate(("inference", "learning")):
        senders = {}
        sums = np.zeros(3)
        longest = np.zeros(2)
        for name, (a, b, phases) in sent.items():
            packets = phases[number]
            if packets.any():
                senders[name] = _at(b, packets.sum(0), placement), _at(a, packets.sum(1), placement)
            away = np.abs(spots[a][:, None] - spots[b][None])
            crossed = np.abs(chips[a][:, None] - chips[b][None]).sum(2)
            sums += [*(packets[:, :, None] * away).sum((0, 1)), (packets * crossed).sum()]
            longest = np.maximum(longest, (away * (packets > 0)[:, :, None]).max((0, 1)))
        found.append(
            Traffic(
                axons_in=sum((i for i, _ in senders.values()), np.zeros(len(placement.cores))),
                axons_out=sum((o for _, o in senders.values()), np.zeros(len(placement.cores))),
                senders=senders,
                host_messages=getattr(events, phase).host_messages,
                east_west=float(sums[0]),
                north_south=float(sums[1]),
                chip_crossings=float(sums[2]),
                longest=(int(longest[0]), int(longest[1])),
            )
        )
    return found[0], found[1]


def _at(cores: np.ndarray, packets: np.ndarray, placement: Placement) -> np.ndarray:
    """(C,) packets by core; those of the host, which is none of them, are left out."""
    found = np.zeros(len(placement.cores) + 1)
    np.add.at(found, cores, packets)
    return found[:-1]


def _packets(flows: list[_Flow]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cores (A,) of a sender's slices, cores (B,) reached, packets (2, A, B) of both phases.

    What learning sends to a core beyond inference: a message that both need is one packet. Of
    projections that read different parts of a slice, the one that reads most counts.
    """
    sources = flows[0].sources
    neurons = np.array([s.part.neurons for s in sources], np.float64)
    share = (neurons / neurons.sum())[:, None]
    cores = np.unique([t.core for flow in flows for t in flow.targets])
    forward, everything = np.zeros((2, len(sources), len(cores)))
    for flow in flows:
        ends = np.searchsorted(cores, [t.core for t in flow.targets])
        for messages, most in (
            (flow.inference, forward),
            (flow.inference + flow.learning, everything),
        ):
            packets = messages * share * flow.reach
            np.maximum.at(most.T, ends, packets.T)
    return np.array([s.core for s in sources]), cores, np.stack([forward, everything - forward])


def _coordinates(placement: Placement, routing: Routing) -> tuple[np.ndarray, np.ndarray]:
    """(cores + 1, 2) columns and rows of routers and of chips; the last is the host's."""
    across = int(routing.chips_across.value)
    spots = [(core.column, core.row) for core in placement.cores]
    chips = [(core.chip % across, core.chip // across) for core in placement.cores]
    return np.array([*spots, (0, 0)], np.int64), np.array([*chips, (0, 0)], np.int64)


def _flows(events: Events, placement: Placement) -> Iterator[_Flow]:
    """All messages of a run, each with whom it reaches."""
    places: dict[str, list[_Place]] = {}
    for row, core in enumerate(placement.cores):
        for part in core.slices:
            places.setdefault(part.population, []).append(_Place(row, part))
    for s in events.projections:
        targets = places[s.target]
        sources = places.get(s.source) or _host(targets)
        reach = _reach(s, sources, targets)
        mean = float(np.average(reach.sum(1), weights=[p.part.neurons for p in sources]))
        if mean > 0:  # neurons at a border that nobody reads send to fewer than their slice does
            reach = reach * (placement.receiving[s.name] / mean)
        learning = s.messages - s.forward_messages
        yield _Flow(s.source, sources, targets, reach, s.forward_messages, learning)
    for p in events.populations:
        if p.signal_messages:
            targets = places[p.name]
            yield _to_all(signals_of(p), _host(targets), targets, p.signal_messages)
    for g in events.gates:
        gate = places[g.name]
        sender = scores_of(g) if g.apart else g.population
        scores = g.score_operations + g.ignored_operations
        yield _to_all(sender, places[g.population], gate, scores)
        yield _to_all(label_of(g), _host(gate), gate, g.label_messages)
        listening = [place for name in g.listeners for place in places[name]]
        yield _to_all(g.name, gate, listening, g.broadcasts)


def cause_of(events: Events, sender: str) -> Cause:
    """What the packets of one sender of learning follow from."""
    if sender in {label_of(g) for g in events.gates} | {signals_of(p) for p in events.populations}:
        return Cause("begun")
    if sender in {g.name for g in events.gates}:
        return Cause("opened", sender)
    apart = {scores_of(g): g.population for g in events.gates}
    return Cause("scores", apart[sender]) if sender in apart else Cause("messages", sender)


def signals_of(p: PopulationEvents) -> str:
    """The sender of modulators that a population hears itself."""
    return f"signals of {p.name}"


def label_of(g: GateEvents) -> str:
    """The sender of a comparator's modulator."""
    return f"label of {g.name}"


def scores_of(g: GateEvents) -> str:
    """The sender of scores that leave on an axon of their own."""
    return f"scores of {g.name}"


def _to_all(sender: str, sources: list[_Place], targets: list[_Place], messages: float) -> _Flow:
    return _Flow(sender, sources, targets, np.ones((len(sources), len(targets))), 0.0, messages)


def _host(targets: list[_Place]) -> list[_Place]:
    """The host, as if it held all channels and positions that its targets may read."""
    boxes = [t.part for t in targets]
    channels = max(b.first_channel + b.channels for b in boxes)
    rows = max(b.first_row + b.rows for b in boxes)
    columns = max(b.first_column + b.columns for b in boxes)
    return [_Place(-1, Part(0, channels, 0, rows, 0, columns))]


def _reach(s: ProjectionEvents, sources: list[_Place], targets: list[_Place]) -> np.ndarray:
    """(sources, targets) share of the messages of each source slice that a target slice reads."""
    along = windows(s.connection, s.kernel, s.geometry)
    reach = np.ones((len(sources), len(targets)))
    heard = _ranges(sources)
    read = _ranges(targets)
    for axis, window in enumerate(along or (), 1):
        reach *= _read_of(heard[axis], read[axis], window)
    source, target = ((int(of[0, :, 1].max()), 1, 1) for of in (heard, read))
    if within_channels(s.connection, source, target, s.geometry):
        reach *= _share(heard[0], read[0])
    return reach


def _read_of(of: np.ndarray, ends: np.ndarray, along: Window) -> np.ndarray:
    """(sources, targets): the share of each range of rows or columns that each target reads."""
    side = int(of[:, 1].max())
    reads = np.array([along.reads(side, first, stop) for first, stop in ends])
    before = np.zeros((len(ends), side + 1), np.int64)
    before[:, 1:] = reads.cumsum(1)
    share: np.ndarray = (before[:, of[:, 1]] - before[:, of[:, 0]]).T / (of[:, 1] - of[:, 0])[
        :, None
    ]
    return share


def _ranges(places: list[_Place]) -> np.ndarray:
    """(3, slices, 2): where the channels, rows and columns of each slice begin and end."""
    found = [
        (
            (p.first_channel, p.first_channel + p.channels),
            (p.first_row, p.first_row + p.rows),
            (p.first_column, p.first_column + p.columns),
        )
        for p in (place.part for place in places)
    ]
    return np.array(found).transpose(1, 0, 2)


def _share(of: np.ndarray, read: np.ndarray) -> np.ndarray:
    """(sources, targets): the share of each range (first, stop) that another one covers."""
    stop = np.minimum(of[:, None, 1], read[None, :, 1])
    common = stop - np.maximum(of[:, None, 0], read[None, :, 0])
    share: np.ndarray = np.maximum(common, 0) / (of[:, 1] - of[:, 0])[:, None]
    return share
