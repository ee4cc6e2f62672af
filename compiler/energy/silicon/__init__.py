"""Workloads measured on silicon, built as programs, placed, counted and estimated."""

from compiler.energy.silicon.check import Case, cases
from compiler.energy.silicon.workload import Rate

__all__ = ["Case", "Rate", "cases"]
