"""The page on energy: its coefficients are those of the machine files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from compiler.energy.compare import event_driven_first
from compiler.energy.ledger import KINDS
from compiler.targets import load_machine
from compiler.targets.costs import EventEnergy
from compiler.targets.figures import SECTIONS, Derived, Included, Measure

ROOT = Path(__file__).parent.parent
COEFFICIENTS = ROOT / "docs" / "energy_coefficients.md"


def test_the_table_is_what_the_machine_files_say():
    words = [sys.executable, "scripts/energy_coefficients.py", "--check"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_coefficient_has_a_row_with_its_source():
    rows = COEFFICIENTS.read_text("utf-8").split("\n## ")[1:]
    for name, page in zip(event_driven_first(), rows, strict=True):
        machine = load_machine(name)
        assert f"(`{name}`)" in page.splitlines()[0]
        for section in SECTIONS:
            part = getattr(machine, section, None)
            for key in type(part).model_fields if part is not None else ():
                coefficient = getattr(part, key)
                (row,) = (r for r in page.splitlines() if r.startswith(f"| {section}.{key} |"))
                if isinstance(coefficient, Measure | Derived):
                    assert coefficient.source in row and coefficient.conditions in row
                else:
                    included = isinstance(coefficient, Included)
                    assert ("part of" if included else "not") in row


def test_every_kind_of_event_is_priced_by_a_coefficient_that_there_is():
    """And none is left over: what a file must say, some event needs."""
    priced = {kind.coefficient for kind in KINDS.values() if kind.coefficient}
    assert priced == set(EventEnergy.model_fields)
    assert all(kind.within in priced for kind in KINDS.values() if kind.coefficient is None)
