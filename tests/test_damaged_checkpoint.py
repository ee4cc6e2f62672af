"""A damaged checkpoint is refused in a sentence, or is another valid checkpoint."""

from __future__ import annotations

from pathlib import Path

from damage import CASES, damaged
from test_frontend_checkpoint import checkpoint

from clapp_neuro.checkpoint import load_checkpoint, save_checkpoint
from clapp_neuro.errors import InputError
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.passes.admit import admit

HEAD = 4000  # the description and the list of tensors, where a flip changes the meaning


def test_damaged_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, checkpoint(encoder={"layers": (8, 6)}))
    whole, refused = path.read_bytes(), 0
    for content in damaged(whole, HEAD):
        path.write_bytes(content)
        try:
            admit(network_from_checkpoint(load_checkpoint(path), plastic=False))
        except InputError:
            refused += 1
    assert refused > CASES // 2
