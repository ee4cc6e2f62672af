"""The order of the test files: what takes long begins first.

`pytest -n 2 --dist loadfile --no-loadscope-reorder` hands files to its workers in this order, so
that none of them ends alone with a long one.
"""

from __future__ import annotations

import pytest

# How the names begin of files that take some ten seconds or more on an idle core, longest first.
LONG = (
    "test_reproduce",
    "test_fuzz",
    "test_emit",
    "test_lava",
    "test_cli",
    "test_damaged_verbs",
    "test_source_properties",
    "test_consolidation",
    "test_conv_chip",
    "test_narrow_targets",
    "test_neurons",
    "test_worked_example",
    "test_kernels_learn",
    "test_adapt",
    "test_few_bits",
    "test_spike_timing",
    "test_training",
    "test_resume_run",
    "test_benchmark",
    "test_spiking_onnx",
    "test_chip_readout",
    "test_stl10",
    "test_lower_traces",
    "test_energy",
    "test_stdp",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by file; tests of a file, and files of the same place, keep their order."""
    items.sort(key=lambda item: _place(item.path.name))


def _place(name: str) -> int:
    return next((i for i, start in enumerate(LONG) if name.startswith(start)), len(LONG))
