"""`training.traces` by the compiled arithmetic of `training.compiled_online`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.neurons import input_spikes
from clapp_neuro.training.compiled_fixation import Known, compiled
from clapp_neuro.training.compiled_online import CompiledOnlineTrainer, Layer
from clapp_neuro.training.traces import (
    kept_traces,
    remaining,
    spike_shares,
    stored_traces,
)

SMALLEST = 1e-20
"""A trace below it counts as 0: it changes no weight, and arithmetic with numbers that get smaller
and smaller gets a hundred times slower before they are 0."""


class CompiledTraceTrainer(CompiledOnlineTrainer):
    """As `TraceTrainer`, for what `compiled_online.is_compiled`.

    kept: as there. known: what follows from them, (2, 1, 1, N) of the input and of each layer: of
    this fixation, of the last.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        super().__init__(experiment, images, weights, resume)
        encoder = experiment.encoder
        self.shares = spike_shares(encoder).to(self.dtype).contiguous().numpy()
        self.left = np.array(remaining(encoder), self.shares.dtype)
        self.kept = [kept.numpy() for kept in kept_traces(experiment, self.dtype, resume)]
        self.known = [np.zeros_like(kept)[:, None, None] for kept in self.kept]
        self.spikes_of_block = -1

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation, and the traces."""
        return {**super().state(), **stored_traces([torch.tensor(kept) for kept in self.kept])}

    def _arriving(self, step: int, x: np.ndarray) -> np.ndarray:
        if self.spikes_of_block != self.block:
            spikes = input_spikes(self.inputs, self.experiment.encoder.steps)
            self.spikes = spikes.transpose(0, 1).contiguous().numpy()[:, :, None, None]
            self.spikes_of_block = self.block
        found: np.ndarray = self.spikes[step % len(self.spikes)]
        self._follow(0, found)
        return found

    def _known(self, number: int, own: Layer) -> Known:
        self._follow(number + 1, own.spikes.heard)
        (x, before_x), (z, c) = self.known[number], self.known[number + 1][:, 0, 0]
        return Known(x, before_x, z, c)

    def _follow(self, level: int, spikes: np.ndarray) -> None:
        known = self.known[level][:, 0, 0]
        follow(self.kept[level], self.left, self.shares, spikes[:, 0, 0], known)


@compiled
def follow(
    kept: np.ndarray,
    left: np.ndarray,
    shares: np.ndarray,
    spikes: np.ndarray,
    known: np.ndarray,
) -> None:
    """Traces `kept` (2, N) take up a fixation's spikes (T, N); z~ and c~ go into `known` (2, N)."""
    for trace in range(2):
        row = kept[trace]
        for i in range(row.shape[0]):
            remains = left[trace] * row[i]
            row[i] = remains if remains > SMALLEST else 0
        for t in range(spikes.shape[0]):
            share = shares[trace, t]
            for i in range(row.shape[0]):
                row[i] += share * spikes[t, i]
    for i in range(kept.shape[1]):
        known[0, i] = kept[0, i]
        known[1, i] = (kept[1, i] - kept[0, i]) / (left[1] - left[0])
