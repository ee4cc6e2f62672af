"""The exact integer simulator of a compiled program."""

from compiler.backends.simulator.engine import Result, State, infer, simulate
from compiler.backends.simulator.outputs import Answer, answer
from compiler.backends.simulator.stepping import Raster, learn_and_watch, trace

__all__ = [
    "Answer",
    "Raster",
    "Result",
    "State",
    "answer",
    "infer",
    "learn_and_watch",
    "simulate",
    "trace",
]
