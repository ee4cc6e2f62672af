"""The same program on tensors: many networks or fixations at once, on a processor or a GPU."""

from compiler.backends.tensor.engine import Outcome, infer, simulate

__all__ = ["Outcome", "infer", "simulate"]
