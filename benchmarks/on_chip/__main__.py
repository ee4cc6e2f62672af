"""Learning on the chip beside learning in float: docs/results/on_chip.md and what is in it.

    python benchmarks/on_chip [--scale short|full|trial] [--networks dense ...] [--workers N]
                              [--folder DIR] [--data DIR] [--out DIR] [--kept FILE]

Every network of every seed is one file in the folder, made once: a run that was stopped goes on.
The test images are split: the reference's learning rate is chosen on the first half, everything
that is reported is measured on the second. `--summary` writes the page from what there is, and
beside it what `compile` says of each way to learn (`compiler/kept.json`). Networks that are not in
the folder stay on the page as they are in `on_chip.json`.
"""

from __future__ import annotations

from pathlib import Path

from jobs import everything
from page import write_page
from settings import SCALES
from summary import kept, summarise

from clapp_neuro.reproduce.measuring import command_line, processes
from clapp_neuro.show import dump


def main() -> None:
    parser = command_line(__doc__, SCALES, "short", "measured/on_chip")
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--kept", type=Path, default=Path("compiler/kept.json"))
    arguments = parser.parse_args()
    networks = SCALES[arguments.scale]
    folder = arguments.folder / arguments.scale
    if not arguments.summary:
        with processes(arguments.workers) as pool:
            for name in arguments.networks or networks:
                everything(networks[name], folder / name, arguments.data, pool)
    stored = arguments.out / "on_chip.json"
    found = summarise(networks, folder, arguments.scale, stored)
    arguments.out.mkdir(parents=True, exist_ok=True)
    dump(stored, found)
    dump(arguments.kept, kept(found))
    write_page(found, arguments.out)
    print(f"{arguments.out / 'on_chip.md'}: written")


if __name__ == "__main__":
    main()
