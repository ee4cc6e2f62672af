"""The source network in real numbers, as the docstrings of `compiler.ir` say, step by step.

What it is shown are the integers that a program is shown, so its inputs have scale 1, as
`compiler.passes.fold` leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from compiler.ir import Compartment, Network, Neuron, Population, Projection, WinnerTakeAll
from compiler.real_numbers.cells import Cells, real_parameters
from compiler.real_numbers.linear import through

HALF = 128  # what an intensity is rounded with where it becomes spikes


class RealNetwork:
    """Independent presentations at once: a step for each step of the schedule.

    `cells` has the neurons of each population, and `heard` what each projection onto a soma brought
    from its source (B, N_source) in this step.
    """

    def __init__(
        self,
        network: Network,
        shown: Mapping[str, np.ndarray],
        sent: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """shown: by input intensities (B, N), or a sequence (B, T, N) in integers.

        sent: by population (B, T, N) what others hear of it, in place of what it spikes here.
        """
        batch = len(next(iter(shown.values())))
        self._network, self._shown, self._batch = network, shown, batch
        self._others = sent or {}
        self._order = sorted(
            (p for p in network.populations if isinstance(p.neuron, Neuron | WinnerTakeAll)),
            key=lambda p: p.level,
        )
        self.cells = {
            p.name: Cells(real_parameters(p), batch)
            for p in self._order
            if isinstance(p.neuron, Neuron)
        }
        self.heard: dict[str, np.ndarray] = {}
        self._winners = {
            p.name: np.zeros((batch, p.size), np.int64)
            for p in self._order
            if isinstance(p.neuron, WinnerTakeAll)
        }
        self._sent: dict[str, dict[int, np.ndarray]] = {p.name: {} for p in network.populations}
        self._longest = max((p.delay for p in network.projections), default=0)

    def steps(self) -> Iterator[int]:
        """The steps of the presentation, one after the other."""
        for step in range(self._network.schedule.steps):
            self._step(step)
            yield step

    def driving(self, population: str) -> list[Projection]:
        """What ends on its somata."""
        arriving = self._network.arriving[population]
        return [p for p in arriving if p.compartment is Compartment.SOMA]

    def _step(self, step: int) -> None:
        for p in self._network.populations:
            if p.neuron is None:
                self._keep(p, step, self._given(p, step))
        for p in self._order:
            current = np.zeros((self._batch, p.size))
            for q in self.driving(p.name):
                source = self._network.population(q.source)
                self.heard[q.name] = heard = self._heard(q, source, step)
                current += through(q.connection, q.weights, heard, source.map, p.map, q.geometry)
            if p.name in self.cells:
                self.cells[p.name].step(current)
                self._keep(p, step, self.cells[p.name].spikes)
            else:
                self._keep(p, step, self._relayed(p, current))

    def _given(self, p: Population, step: int) -> np.ndarray:
        """What an input sends in a step."""
        given = np.asarray(self._shown[p.name], np.int64)
        if p.sequence:
            return given[:, step]
        if p.spikes:
            return (given * (step + 1) + HALF >> 8) > (given * step + HALF >> 8)
        return given

    def _heard(self, q: Projection, source: Population, step: int) -> np.ndarray:
        """What was sent as many steps ago as the projection says; at first nothing."""
        if step < q.delay:
            return np.zeros((self._batch, source.size))
        return self._sent[q.source][step - q.delay].astype(np.float64)

    def _relayed(self, p: Population, current: np.ndarray) -> np.ndarray:
        """The spikes of the neighbour that was the first to spike (`compiler.program.Relay`)."""
        masks, winner = np.rint(current).astype(np.int64), self._winners[p.name]
        self._winners[p.name] = np.where(winner == 0, masks & -masks, winner)
        found: np.ndarray = (masks & self._winners[p.name]) != 0
        return found

    def _keep(self, p: Population, step: int, sent: np.ndarray) -> None:
        self._sent[p.name][step] = self._others[p.name][:, step] if p.name in self._others else sent
        self._sent[p.name].pop(step - self._longest - 1, None)
