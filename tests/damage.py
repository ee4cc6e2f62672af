"""A file's bytes, cut short or with bits flipped, from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

CASES = 300


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
