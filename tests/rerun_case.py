"""Runs a case that `make fuzz` or `make test` wrote again, and says what differs.

    python tests/rerun_case.py found/tensor.clapp --against tensor

Exit codes: 0 the engines agree, 1 they do not, 2 the file cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz.agreement import ENGINES, difference
from fuzz.cases import read_case

from clapp_neuro.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", type=Path, help="the .clapp file; its .npz lies beside it")
    parser.add_argument("--against", choices=ENGINES, default="tensor")
    asked = parser.parse_args(arguments)
    try:
        case = read_case(asked.case)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    found = difference(asked.against, case)
    print(f"{case}: {found or f'simulator and {asked.against} agree'}")
    return int(found is not None)


if __name__ == "__main__":
    sys.exit(main())
