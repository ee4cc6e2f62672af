"""Which network of which seed is measured when, each once, by processes side by side."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from measurements import on_chip, on_lava, once, online, untrained
from settings import DEFAULT, LAVA, Network
from summary import best_rate

Job = tuple[str, int, float | None]  # what, seed, learning rate


def do(network: Network, job: Job, folder: Path, data: str | None) -> str:
    """Measures one network of one seed, if it is not there yet; its name."""
    what, seed, rate = job
    own = folder / str(seed)
    if what == "untrained":
        once(place(folder, job), lambda: untrained(network, seed, own, data))
    elif what == "online":
        assert rate is not None
        once(place(folder, job), lambda: online(network, seed, rate, own, data))
    elif what == LAVA:
        assert rate is not None
        once(place(folder, job), lambda: on_lava(network, seed, rate, own, data))
    else:
        assert rate is not None
        once(place(folder, job), lambda: on_chip(network, seed, rate, what, own, data))
    return f"{folder.name}: {what}, seed {seed}" + ("" if rate is None else f", rate {rate:.6f}")


def place(folder: Path, job: Job) -> Path:
    """Where a job's result is stored."""
    what, seed, rate = job
    return folder / str(seed) / f"{what}{'' if rate is None else f'-{rate:.6f}'}.json"


def everything(network: Network, folder: Path, data: str | None, pool: ProcessPoolExecutor) -> None:
    """All jobs of a network; what is chosen comes before what depends on it."""

    def run(jobs: Iterable[Job]) -> None:
        for future in as_completed([pool.submit(do, network, j, folder, data) for j in jobs]):
            print(future.result(), flush=True)

    first = network.seeds[: network.choosing]
    run(("untrained", seed, None) for seed in network.seeds)
    run(("online", seed, rate) for seed in first for rate in network.rates)
    rate = best_rate(network, folder)
    # what is compared first: a run that is stopped has something to say about all ways to learn
    compared = network.seeds[: network.compared]
    both = (DEFAULT, "online")
    run((what, seed, rate) for seed in compared for what in (*both, *network.lowerings))
    run([(LAVA, network.seeds[0], rate)] if network.prefix else [])
    run((what, seed, rate) for seed in network.seeds[network.compared :] for what in both)
