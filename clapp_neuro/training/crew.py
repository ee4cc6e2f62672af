"""Several processes that learn as one: torchrun starts them, torch.distributed connects them.

Each process sees its own part of the minibatch. Activities of patches, which are small, are
gathered, so that every process computes the same signal for the whole minibatch; changes of the
synapses are summed. The result is that of one process with the whole minibatch, to float error.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from clapp_neuro.errors import InputError


@dataclass(frozen=True)
class Crew:
    """`size` processes, of which this one is number `rank`."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that reports and writes files."""
        return self.rank == 0

    def gather(self, own: Tensor) -> Tensor:
        """Rows of all processes, in the order of their ranks."""
        if self.size == 1:
            return own
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    def part(self, rows: Tensor) -> Tensor:
        """This process's part of rows that belong to all."""
        if self.size == 1:
            return rows
        own = len(rows) // self.size
        return rows[self.rank * own : (self.rank + 1) * own]

    def total(self, changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each tensor summed over the processes."""
        if self.size > 1:
            for name in sorted(changes):
                dist.all_reduce(changes[name])
        return dict(changes)

    def agree(self, asked: bool) -> bool:
        """Whether any process was asked to stop: all stop after the same step."""
        if self.size == 1:
            return asked
        flag = torch.tensor([float(asked)], device=self.device or "cpu")
        dist.all_reduce(flag)
        return bool(flag.item())

    @property
    def device(self) -> torch.device | None:
        """The GPU of this process, where there is one for each."""
        if self.size == 1 or not torch.cuda.is_available():
            return None
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


ALONE = Crew()


def crew() -> Crew:
    """The processes that torchrun started together with this one, or this one alone.

    They are connected at the first call and until the process ends: torch.distributed cannot be
    relied on to meet a second time. Raises InputError where they do not find each other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not dist.is_available():
        return ALONE
    if not dist.is_initialized():
        # Default arguments of this module are the group that exists when it is imported. torch
        # imports it late; the group would outlive its destruction, its threads the interpreter.
        importlib.import_module("torch.distributed.nn.functional")
        try:
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"the processes of this run do not find each other ({error}): start them with "
                "torchrun"
            ) from error
        atexit.register(dist.destroy_process_group)
    return Crew(dist.get_rank(), dist.get_world_size())
