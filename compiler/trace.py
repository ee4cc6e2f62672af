"""What an engine shows of one fixation, step by step, in a form that engines share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clapp_neuro.errors import InputError
from compiler.program import Program


@dataclass(frozen=True)
class Stimulus:
    """Input of a run: one row a fixation.

    `intensities` maps each input population to uint8 (F, N), and an input that is given a sequence
    to integers (F, T, N), what each neuron sends in each of the T steps of a fixation; `signals`
    each modulator to int8 (F,) in {-1, 0, +1} (CLAPP: y = +1 fixation, -1 saccade, 0 before the
    first).
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


def count_type(program: Program) -> type[np.uint8] | type[np.uint32]:
    """The type of spike counts that a forward pass gives."""
    return np.uint8 if program.timetable.steps <= 255 else np.uint32


def require_fitting(program: Program, stimulus: Stimulus) -> None:
    """InputError where a stimulus lacks an input or signal, or one has another shape or range."""
    inputs = {p.name: p for p in program.populations if p.soma is None}
    for kind, given, needed in (
        ("intensities", stimulus.intensities, inputs),
        ("signals", stimulus.signals, program.modulators),
    ):
        missing = [name for name in needed if name not in given]
        if missing:
            raise InputError(f"the stimulus has no {kind} for {', '.join(missing)}")
    for name, p in inputs.items():
        shown = stimulus.intensities[name]
        steps = (program.timetable.steps,) if p.sequence else ()
        shape = (stimulus.fixations, *steps, p.size)
        if shown.shape != shape:
            raise InputError(f"intensities of {name} have the shape {shown.shape}, not {shape}")
        if not p.sequence:
            continue
        if shown.dtype.kind not in "bui":
            raise InputError(f"the sequence of {name} is {shown.dtype}: give integers")
        low, high = int(shown.min(initial=0)), int(shown.max(initial=0))
        least = 0 if p.sequence == 1 else -p.sequence
        if low < least or high > p.sequence:
            raise InputError(
                f"the sequence of {name} has values from {low} to {high}, not {least} to "
                f"{p.sequence}"
            )
    for name in program.modulators:
        if stimulus.signals[name].shape != (stimulus.fixations,):
            raise InputError(
                f"signal {name} has the shape {stimulus.signals[name].shape}: give one value for "
                f"each of the {stimulus.fixations} fixations"
            )


@dataclass(frozen=True)
class FixationTrace:
    """All that happened in one fixation, each population at its own time tau.

    Per population with somata: `membrane` int32 and `spikes` bool, both (steps, N), after each step
    of the presentation, and after a reset at once (of a tally, zeros); `counts`, `apical`, `retro`
    int32 (N,) as the learning slots saw them, so without the counts that an inhibition has made
    them forget; `post` int32 (post values, N) in the order of `ProgramPopulation.post_values`;
    where there are running averages, `averages` int32 (2, N), mean and variance as they leave it.
    Per gate: `scores` and `gates`, ints. Per projection whose weights change: `weights` int8 and,
    where it has them, `tags` int16, both (period, *shape of the weights), after each step of the
    target's own time (of the source's, where the rule is a general one:
    `compiler.products.general`), the average of copies and the carry of a pair with the fixation's
    last step, target's tau = `Timetable.last_tau`. Learning fields are empty when the run did not
    learn, and tallies, which serve learning only, are left out.
    """

    fixation: int
    membrane: dict[str, np.ndarray] = field(default_factory=dict)
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    apical: dict[str, np.ndarray] = field(default_factory=dict)
    retro: dict[str, np.ndarray] = field(default_factory=dict)
    post: dict[str, np.ndarray] = field(default_factory=dict)
    averages: dict[str, np.ndarray] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    gates: dict[str, int] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    tags: dict[str, np.ndarray] = field(default_factory=dict)
