"""The exact integer simulator of a compiled program."""

from compiler.backends.simulator.engine import Result, State, infer, simulate
from compiler.backends.simulator.outputs import Answer, answer
from compiler.backends.simulator.stepping import trace

__all__ = ["Answer", "Result", "State", "answer", "infer", "simulate", "trace"]
