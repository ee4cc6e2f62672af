"""The readout that learns from rewards on the chip: docs/results/readout.md and what is in it.

    python benchmarks/on_chip/readout.py [--scale full|short|trial] [--workers N]
                                         [--folder DIR] [--data DIR] [--out DIR] [--summary]

Every run is one file in the folder, made once: what was stopped goes on. Each way's learning rate
is chosen on the first half of the test images, with the first seed; everything that is reported is
measured on the second half. `--summary` writes the page from what there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from measurements import once
from readout_page import write_page
from readout_runs import linear, way
from readout_settings import FITTED, SCALES, WAYS, Setting

from clapp_neuro.reproduce.measuring import command_line, processes
from clapp_neuro.show import dump

Found = dict[str, Any]
Job = tuple[str, int, float]  # which way, seed, rate of the readout
LINEAR = "linear"  # what is fitted off the chip, beside a way


def main() -> None:
    arguments = command_line(__doc__, SCALES, "full", "measured/readout").parse_args()
    setting, folder = SCALES[arguments.scale], arguments.folder / arguments.scale
    if not arguments.summary:
        with processes(arguments.workers) as pool:
            measure(setting, folder, arguments.data, pool)
    found = summarise(setting, folder, arguments.scale)
    arguments.out.mkdir(parents=True, exist_ok=True)
    dump(arguments.out / "readout.json", found)
    write_page(found, arguments.out)
    print(f"{arguments.out / 'readout.md'}: written")


def measure(setting: Setting, folder: Path, data: str | None, pool: ProcessPoolExecutor) -> None:
    """All that is missing: rates with the first seed, then the other seeds, one after the other."""

    def run(jobs: Iterable[Job], beside: str = "") -> None:
        started = [pool.submit(do, setting, job, folder, data, beside) for job in jobs]
        for future in as_completed(started):
            print(future.result(), flush=True)

    first, *others = setting.seeds
    run((name, first, rate) for name in WAYS for rate in setting.rates)
    best = {name: best_rate(setting, folder, name) for name in WAYS}
    for seed in (first, *others):
        run((name, seed, best[name]) for name in WAYS)
        run(((name, seed, best[name]) for name in FITTED), LINEAR)


def do(setting: Setting, job: Job, folder: Path, data: str | None, beside: str) -> str:
    """Measures one run, if it is not there yet; what it was."""
    name, seed, rate = job
    learned = place(folder, job).with_suffix(".clapp")
    if beside == LINEAR:
        once(place(folder, job, LINEAR), lambda: linear(setting, seed, learned, data))
    else:
        once(place(folder, job), lambda: way(name)(setting, seed, rate, learned, data))
    return f"{name} {beside}: seed {seed}, rate {rate:g}"


def place(folder: Path, job: Job, beside: str = "") -> Path:
    """Where a run's result is stored."""
    name, seed, rate = job
    return folder / str(seed) / f"{name}-{rate:.6f}{'-' + beside if beside else ''}.json"


def best_rate(setting: Setting, folder: Path, name: str) -> float:
    """The rate with the best accuracy at the end, on the images for choices."""
    first = setting.seeds[0]
    return max(setting.rates, key=lambda r: _read(folder, (name, first, r))["validation"][-1])


def _read(folder: Path, job: Job, beside: str = "") -> Found:
    found: Found = json.loads(place(folder, job, beside).read_text())
    return found


def summarise(setting: Setting, folder: Path, scale: str) -> Found:
    """Every way over the seeds that it has: curves as seeds x looks."""
    ways: Found = {}
    for name, title in WAYS.items():
        rate = best_rate(setting, folder, name)
        there = [s for s in setting.seeds if place(folder, (name, s, rate)).exists()]
        runs = [_read(folder, (name, seed, rate)) for seed in there]
        fitted = [
            _read(folder, (name, seed, rate), LINEAR)["test"][0]
            for seed in there
            if place(folder, (name, seed, rate), LINEAR).exists()
        ]
        tried = {
            f"{r:g}": _read(folder, (name, setting.seeds[0], r))["validation"][-1]
            for r in setting.rates
        }
        own = {k: [r[k] for r in runs if k in r] for k in runs[0] if k not in ("fixations",)}
        ways[name] = {
            "title": title, "rate": rate, "validated": tried, "seeds": there, "linear": fitted,
            **own,
        }  # fmt: skip
    return {"scale": scale, "settings": setting.to_json(), "ways": ways}


if __name__ == "__main__":
    main()
