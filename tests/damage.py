"""A file's bytes, cut short or with bits flipped, from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from clapp_neuro.errors import InputError

CASES = 300
Read = TypeVar("Read")


def damaged(whole: bytes, head: int | None = None) -> Iterator[bytes]:
    """CASES of them: a third cut short, a third with flips in the first `head` bytes, a third
    with flips anywhere."""
    for case in range(CASES):
        draw = random.Random(case)
        content = bytearray(whole)
        if case % 3 == 0:
            content = content[: draw.randrange(len(content))]
        else:
            last = min(head or len(content), len(content)) if case % 3 == 1 else len(content)
            for _ in range(draw.choice([1, 1, 8])):
                content[draw.randrange(last)] ^= 1 << draw.randrange(8)
        yield bytes(content)


def refusals(
    path: Path,
    read: Callable[[Path], Read],
    use: Callable[[Read], object] = lambda _: None,
    head: int | None = None,
) -> int:
    """How many damaged copies of the file at `path` are refused as they are read.

    What is read of the others has to be of use.
    """
    refused, copy = 0, path.with_name(f"damaged{path.suffix}")
    for content in damaged(path.read_bytes(), head):
        copy.write_bytes(content)
        try:
            found = read(copy)
        except InputError:
            refused += 1
        else:
            use(found)
    return refused
