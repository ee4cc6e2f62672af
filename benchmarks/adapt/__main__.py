"""The world changes, and the chip learns on: docs/results/adapt.md and what is in it.

    python benchmarks/adapt [--scale full|trial] [--workers N] [--folder DIR] [--data DIR]
                            [--out DIR] [--summary]

Every measurement is one file in the folder, made once: a run that was stopped goes on. The test
images are split: settings are chosen on the first half, everything that is reported is measured on
the second. `--summary` writes the page from what there is.
"""

from __future__ import annotations

from collect import summarise
from plan import everything
from report import write_page
from scales import SCALES

from clapp_neuro.reproduce.measuring import command_line, processes
from clapp_neuro.show import dump


def main() -> None:
    arguments = command_line(__doc__, SCALES, "full", "measured/adapt").parse_args()
    scale, folder = SCALES[arguments.scale], arguments.folder / arguments.scale
    if not arguments.summary:
        with processes(arguments.workers) as pool:
            everything(scale, folder, arguments.data, pool)
    found = summarise(scale, folder)
    arguments.out.mkdir(parents=True, exist_ok=True)
    dump(arguments.out / "adapt.json", found)
    write_page(found, arguments.out)
    print(f"{arguments.out / 'adapt.md'}: written")


if __name__ == "__main__":
    main()
