"""The tables of docs/energy_coefficients.md: every coefficient of every machine, from hw_configs.

    python scripts/energy_coefficients.py [--check]

Writes the file; with --check writes nothing, and ends with 1 where the file is something else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clapp_neuro.files import write_whole
from compiler.energy import Band, Coefficients
from compiler.energy.compare import event_driven_first
from compiler.targets import ConventionalMachine, NeuromorphicMachine, load_machine
from compiler.targets.figures import SECTIONS, Derived, Included, Measure

PATH = Path(__file__).parent.parent / "docs" / "energy_coefficients.md"
HEAD = """# Every coefficient of energy, power and time

Written by `python scripts/energy_coefficients.py` from `hw_configs/`; a test keeps it equal.
Boards have the coefficients of the machine that they extend. Bands are those that estimates use
([90 %](energy.md#bands)), shared factors and parents included. Grades: A measured on silicon and
published with its method; B vendor figure or simulation before silicon; C derived, assumed or
second hand.
"""
Machine = NeuromorphicMachine | ConventionalMachine


def text() -> str:
    """The whole file."""
    return HEAD + "".join(_machine(load_machine(name)) for name in event_driven_first())


def _machine(machine: Machine) -> str:
    coefficients = Coefficients(machine)
    lines = [f"\n## {machine.title} (`{machine.name}`)\n"]
    lines += [f"- {assumption}" for assumption in machine.assumptions]
    if machine.factors:
        lines += ["\n| factor | value and band | grade | source | conditions |", "|" + " --- |" * 5]
        for name, factor in machine.factors.items():
            band = f"{factor.value:g} [{factor.low:g} – {factor.high:g}]"
            cells = (name, band, factor.grade, factor.source, factor.conditions)
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["\n| coefficient | value and band | from | source | conditions |", "|" + " --- |" * 5]
    for section in SECTIONS:
        part = getattr(machine, section, None)
        for name in type(part).model_fields if part is not None else ():
            cells = _cells(getattr(part, name), getattr(coefficients, section)(name))
            lines.append("| " + " | ".join((f"{section}.{name}", *cells)) + " |")
    return "\n".join(lines) + "\n"


def _cells(coefficient: object, line: object) -> tuple[str, str, str, str]:
    """Value and band, what it is derived from, source, conditions."""
    if isinstance(coefficient, Measure):
        origin = f"× {coefficient.factor}" if coefficient.factor else ""
        return str(line), origin, coefficient.source, coefficient.conditions
    if isinstance(coefficient, Derived):
        shown = str(line) if isinstance(line, Band) else "not published"
        origin = f"{coefficient.like} × {coefficient.factor}"
        return shown, origin, coefficient.source, coefficient.conditions
    if isinstance(coefficient, Included):
        return "", "", f"part of {coefficient.included_in}", ""
    return "", "", str(line), ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    if not parser.parse_args().check:
        write_whole(PATH, lambda file: file.write(text().encode()))
    elif not PATH.exists() or PATH.read_text("utf-8") != text():
        sys.exit(f"{PATH.name} is not what hw_configs say: run python {sys.argv[0]}")


if __name__ == "__main__":
    main()
