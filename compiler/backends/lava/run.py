"""Runs a compiled program on Lava: step by step for comparison, or in one go."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.backends.lava.checks import require_expressible
from compiler.backends.lava.compat import require_installed
from compiler.backends.lava.job import Job, Task
from compiler.backends.lava.outcome import Outcome
from compiler.backends.lava.supervise import answers
from compiler.program import Program
from compiler.trace import FixationTrace, Stimulus

TIME_LIMIT = 600.0  # seconds, for the whole run


def trace(
    program: Program,
    stimulus: Stimulus,
    learn: bool = True,
    timeout: float = TIME_LIMIT,
    guarded: bool = False,
) -> Iterator[FixationTrace]:
    """Yields what `compiler.trace` describes for every fixation.

    `guarded` skips learning epochs that can change nothing (stock Lava has one at every step).
    Raises InputError where Lava is missing or cannot express the program, LavaTimeoutError after
    `timeout` seconds, LavaError where Lava fails. No process outlives the iterator.
    """
    require_installed()
    require_expressible(program, stimulus, learn)
    return answers(Job(Task.TRACE, program, stimulus, learn, guarded), timeout)


def run(
    program: Program,
    stimulus: Stimulus,
    learn: bool = True,
    timeout: float = TIME_LIMIT,
    guarded: bool = False,
) -> Outcome:
    """Runs all fixations in one go; options and errors as `trace`."""
    require_installed()
    require_expressible(program, stimulus, learn)
    (outcome,) = answers(Job(Task.RUN, program, stimulus, learn, guarded), timeout)
    return outcome
