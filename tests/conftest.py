"""The order of the test files: what takes long begins first.

`pytest -n 2 --dist loadfile --no-loadscope-reorder` hands files to its workers in this order, so
that none of them ends alone with a long one.
"""

from __future__ import annotations

import pytest

# Of at least some ten seconds on an idle core, the longest first.
LONG = (
    "test_conv_chip.py",
    "test_reproduce.py",
    "test_fuzz_finds.py",
    "test_damaged_verbs.py",
    "test_cli.py",
    "test_emit.py",
    "test_compiled.py",
    "test_fuzz.py",
    "test_files.py",
    "test_fuzz_draws.py",
    "test_benchmark_training.py",
    "test_consolidation.py",
    "test_narrow_targets.py",
    "test_neurons.py",
    "test_kernels_learn.py",
    "test_adapt.py",
    "test_training.py",
    "test_spiking_onnx.py",
    "test_few_bits.py",
    "test_resume_run.py",
    "test_cli_limits.py",
    "test_stl10.py",
    "test_benchmark_on_chip.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by file; tests of a file, and files that are not listed, keep their order."""
    place = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))
