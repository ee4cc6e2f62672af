"""The command line.

Exit codes: 0 yes, 1 a verification found a difference or something is missing (doctor), 2 bad
input or an interruption.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from clapp_neuro.commands.app import app
from clapp_neuro.errors import InputError
from compiler.backends.lava.supervise import LavaError

COMMANDS = (
    "train",
    "reproduce",
    "probe",
    "check",
    "compile",
    "run",
    "answer",
    "adapt",
    "verify",
    "emit",
    "export",
    "energy",
    "energy_check",
    "targets",
    "doctor",
)
for _name in COMMANDS:  # in the order in which --help lists them
    import_module(f"clapp_neuro.commands.{_name}")


def main(arguments: list[str] | None = None) -> None:
    """Entry point; bad input becomes one sentence on standard error and exit code 2."""
    try:
        app(arguments)
    except (InputError, LavaError) as error:
        print(f"clapp-neuro: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # of standard output: whatever else is written says so itself
        print(f"clapp-neuro: cannot print the result: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python tries once more at its end
        sys.exit(2)


if __name__ == "__main__":
    main()
