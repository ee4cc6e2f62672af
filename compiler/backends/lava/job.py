"""What a run asks of its worker, and what the worker answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

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
class Outcome:
    """The end of a run: the program with its learned weights and tags, and what happened.

    `counts` maps each LIF population to int32 (F, N); `scores` and `gates` are int64 (F, gates),
    in the order of the program, and empty where the run did not learn.
    """

    program: Program
    counts: dict[str, np.ndarray]
    scores: np.ndarray
    gates: np.ndarray


@dataclass(frozen=True)
class Failure:
    """Why a worker could not finish; `for_user` where the user can put it right."""

    message: str
    for_user: bool = False
