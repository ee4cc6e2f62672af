"""The command line of a long measurement, each part of which is one file in a folder, made once."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path


def command_line(doc: str, scales: Iterable[str], scale: str, folder: str) -> ArgumentParser:
    """doc: of the module, whose first line is shown. scale, folder: where nothing is said."""
    parser = ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--scale", choices=scales, default=scale)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(folder))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--data")
    parser.add_argument("--summary", action="store_true", help="nothing is measured")
    return parser


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes side by side, of one thread each where the environment says nothing else."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield pool
