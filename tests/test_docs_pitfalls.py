"""Every test that docs/pitfalls.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_the_tests_that_are_named_exist() -> None:
    text = (TESTS.parent / "docs" / "pitfalls.md").read_text()
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", text)
    assert len(named) > 30
    for file, test in named:
        assert f"def {test}" in (TESTS / file).read_text(), (file, test)
