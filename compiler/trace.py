"""What an engine shows of one fixation, step by step, in a form that engines share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stimulus:
    """Input of a run: one row a fixation.

    `intensities` maps each input population to uint8 (F, N); `signals` each modulator to int8
    (F,) in {-1, 0, +1} (CLAPP: y = +1 fixation, -1 saccade, 0 before the first).
    """

    intensities: dict[str, np.ndarray]
    signals: dict[str, np.ndarray]

    @property
    def fixations(self) -> int:
        """Number of fixations F."""
        return min((len(a) for a in self.intensities.values()), default=0)

    def part(self, start: int, stop: int) -> Stimulus:
        """Fixations start .. stop-1."""
        return Stimulus(
            {k: v[start:stop] for k, v in self.intensities.items()},
            {k: v[start:stop] for k, v in self.signals.items()},
        )


@dataclass(frozen=True)
class FixationTrace:
    """All that happened in one fixation, each population at its own time tau.

    Per LIF population: `membrane` int32 and `spikes` bool, both (steps, N), after each step of the
    presentation; `counts`, `apical`, `retro` int32 (N,) as the learning slots saw them; `post`
    int32 (post values, N) in the order of `ProgramPopulation.post_values`; where there are running
    averages, `averages` int32 (2, N), mean and variance as they leave it. Per gate: `scores` and
    `gates`, ints. Per projection that learns: `weights` int8 and `tags` int16, both (period,
    N_target, N_source), after each step of the target's own time (of the source's, where the rule
    is a general one: `compiler.products.general`). Learning fields are empty when the run did not
    learn.
    """

    fixation: int
    membrane: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    apical: dict[str, np.ndarray]
    retro: dict[str, np.ndarray]
    post: dict[str, np.ndarray]
    averages: dict[str, np.ndarray]
    scores: dict[str, int]
    gates: dict[str, int]
    weights: dict[str, np.ndarray]
    tags: dict[str, np.ndarray]
