"""A damaged checkpoint is refused in a sentence, or is another valid checkpoint."""

from __future__ import annotations

from pathlib import Path

from damage import CASES, refusals
from test_frontend_checkpoint import checkpoint

from clapp_neuro.checkpoint import load_checkpoint, save_checkpoint
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.passes.admit import admit

HEAD = 4000  # the description and the list of tensors, where a flip changes the meaning


def test_damaged_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, checkpoint(encoder={"layers": (8, 6)}))

    def read(damaged: Path) -> None:
        admit(network_from_checkpoint(load_checkpoint(damaged), plastic=False))

    assert refusals(path, read, head=HEAD) > CASES // 2
