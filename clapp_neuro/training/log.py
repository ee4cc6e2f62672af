"""The training log that TensorBoard shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clapp_neuro.errors import InputError
from clapp_neuro.training.tally import Stretch

Log = Callable[[Stretch, tuple[int, ...]], None]
"""log(stretch, layers): note the means of a stretch for the layers of these numbers."""


@contextmanager
def scalar_log(folder: str | os.PathLike[str] | None, leads: bool = True) -> Iterator[Log]:
    """A `Log` into a folder; one that does nothing where there is none, or in a follower."""
    if folder is None or not leads:
        yield lambda stretch, layers: None
        return
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer = SummaryWriter(os.fspath(folder))
    except OSError as error:
        raise InputError(
            f"cannot write the TensorBoard log to '{folder}': {error.strerror or error}"
        ) from error

    def log(stretch: Stretch, layers: tuple[int, ...]) -> None:
        for layer, report in zip(layers, stretch.layers, strict=True):
            for name in ("loss", "gate", "rate"):
                writer.add_scalar(f"{name}/layer{layer}", getattr(report, name), stretch.last)

    try:
        yield log
    finally:
        writer.close()
