"""The exact integer simulator of a compiled program."""

from compiler.backends.simulator.engine import Result, State, infer, simulate
from compiler.backends.simulator.stepping import trace

__all__ = ["Result", "State", "infer", "simulate", "trace"]
