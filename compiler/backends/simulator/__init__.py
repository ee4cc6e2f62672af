"""The exact integer simulator of a compiled program."""

from compiler.backends.simulator.engine import Result, State, infer, simulate
from compiler.backends.simulator.stepping import Raster, learn_and_watch, trace

__all__ = ["Raster", "Result", "State", "infer", "learn_and_watch", "simulate", "trace"]
