"""The example of docs/neurons.md runs as it is printed."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "neurons.md"


def test_the_example_runs(capsys) -> None:
    code = DOCUMENT.read_text("utf-8").split("```python\n")[1].split("```")[0]
    exec(compile(code, str(DOCUMENT), "exec"), {})
    assert int(capsys.readouterr().out.split()[0]) > 0
