"""What every engine relies on in a program: one that a file brought is looked at here first."""

from compiler.soundness.whole import fault

__all__ = ["fault"]
