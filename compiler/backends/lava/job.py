"""What a run asks of its worker, and what the worker answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from compiler.program import Program
from compiler.trace import Stimulus


class Task(Enum):
    """What a worker does with the program."""

    TRACE = "trace"  # answers one FixationTrace after another
    RUN = "run"  # answers one Outcome
    TIME = "time"  # answers the seconds of one time step


@dataclass(frozen=True)
class Job:
    """One run of a program on Lava."""

    task: Task
    program: Program
    stimulus: Stimulus
    learn: bool
    guarded: bool


@dataclass(frozen=True)
class Failure:
    """Why a worker could not finish; `for_user` where the user can put it right."""

    message: str
    for_user: bool = False
