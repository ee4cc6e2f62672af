"""How long Lava takes for a time step, with the time to build the processes left out."""

from __future__ import annotations

from compiler.backends.lava.checks import require_expressible
from compiler.backends.lava.compat import require_installed
from compiler.backends.lava.job import Job, Task
from compiler.backends.lava.run import TIME_LIMIT
from compiler.backends.lava.supervise import answers
from compiler.program import Program
from compiler.trace import Stimulus


def static_step_seconds(program: Program, stimulus: Stimulus) -> float:
    """Seconds of one time step of the forward pass alone, one sample at a time."""
    return _step_seconds(program, stimulus, False, False)


def plastic_step_seconds(program: Program, stimulus: Stimulus, guarded: bool) -> float:
    """Seconds of one time step with learning on; `guarded` as in `trace`."""
    return _step_seconds(program, stimulus, True, guarded)


def _step_seconds(program: Program, stimulus: Stimulus, learn: bool, guarded: bool) -> float:
    require_installed()
    require_expressible(program, stimulus, learn)
    (seconds,) = answers(Job(Task.TIME, program, stimulus, learn, guarded), TIME_LIMIT)
    return seconds
