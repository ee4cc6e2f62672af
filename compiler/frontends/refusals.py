"""The error of a front end for one node: gathered, and told together with all others."""

from __future__ import annotations


class UnsupportedError(Exception):
    """A node, function or setting that is not taken; `remedy` says what would be."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy
