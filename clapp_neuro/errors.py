"""One kind of error for everything that a user can put right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: one sentence that says what is wrong, where, and what would be right.

    Commands print the sentence without a traceback and exit with code 2.
    """


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that `name` was most likely meant to be, or None where nothing is close."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, name: str, options: Iterable[str]) -> InputError:
    """The error for a name that is none of `options`, with the nearest one if there is one."""
    known = sorted(options)
    guess = nearest(name, known)
    hint = f"did you mean '{guess}'? " if guess else ""
    return InputError(f"unknown {kind} '{name}': {hint}known are {', '.join(known)}")
