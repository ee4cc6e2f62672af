"""A damaged checkpoint is refused in a sentence, or is another valid checkpoint."""

from __future__ import annotations

import random
from pathlib import Path

from test_frontend_checkpoint import checkpoint

from clapp_neuro.checkpoint import load_checkpoint, save_checkpoint
from clapp_neuro.errors import InputError
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.passes.admit import admit

CASES = 300
HEAD = 4000  # the description and the list of tensors, where a flip changes the meaning


def test_damaged_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, checkpoint(encoder={"layers": (8, 6)}))
    whole, refused = path.read_bytes(), 0
    for case in range(CASES):
        draw = random.Random(case)
        content = bytearray(whole)
        if case % 3 == 0:
            content = content[: draw.randrange(len(content))]
        else:
            last = min(HEAD, len(content)) if case % 3 == 1 else len(content)
            for _ in range(draw.choice([1, 1, 8])):
                content[draw.randrange(last)] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        try:
            admit(network_from_checkpoint(load_checkpoint(path), plastic=False))
        except InputError:
            refused += 1
    assert refused > CASES // 2
