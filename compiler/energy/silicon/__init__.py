"""Workloads measured on silicon, built as programs, placed, counted and estimated."""

from compiler.energy.silicon.check import Case, cases

__all__ = ["Case", "cases"]
