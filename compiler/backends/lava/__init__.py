"""A compiled program as a graph of Lava processes; the only place that imports Lava.

Lava itself is imported by the worker of a run, not here, so this package can be imported without.
"""

from compiler.backends.lava.checks import require_expressible
from compiler.backends.lava.outcome import Outcome
from compiler.backends.lava.project import project_files
from compiler.backends.lava.run import run, trace
from compiler.backends.lava.supervise import LavaError, LavaTimeoutError
from compiler.backends.lava.throughput import plastic_step_seconds, static_step_seconds

__all__ = [
    "LavaError",
    "LavaTimeoutError",
    "Outcome",
    "plastic_step_seconds",
    "project_files",
    "require_expressible",
    "run",
    "static_step_seconds",
    "trace",
]
