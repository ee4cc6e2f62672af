"""The same program on tensors: many networks or fixations at once, on a processor or a GPU."""

from compiler.backends.tensor.engine import Outcome, infer, simulate
from compiler.backends.tensor.stepping import trace

__all__ = ["Outcome", "infer", "simulate", "trace"]
