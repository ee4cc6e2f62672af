"""The world changes, and the chip learns on: docs/results/adapt.md and what is in it.

    python benchmarks/adapt [--scale full|trial] [--workers N] [--folder DIR] [--data DIR]
                            [--out DIR] [--summary]

Every measurement is one file in the folder, made once: a run that was stopped goes on. The test
images are split: settings are chosen on the first half, everything that is reported is measured on
the second. `--summary` writes the page from what there is.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from collect import summarise
from plan import everything
from report import write_page
from scales import SCALES

from clapp_neuro.show import dump


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("measured/adapt"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--data")
    parser.add_argument("--summary", action="store_true", help="nothing is measured")
    arguments = parser.parse_args()
    scale, folder = SCALES[arguments.scale], arguments.folder / arguments.scale
    if not arguments.summary:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
            everything(scale, folder, arguments.data, pool)
    found = summarise(scale, folder)
    arguments.out.mkdir(parents=True, exist_ok=True)
    dump(arguments.out / "adapt.json", found)
    write_page(found, arguments.out)
    print(f"{arguments.out / 'adapt.md'}: written")


if __name__ == "__main__":
    main()
