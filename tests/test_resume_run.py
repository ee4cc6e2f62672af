"""An interrupted `run --learn`: what it leaves, and that going on gives the uninterrupted bits."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import ctrl_c
import numpy as np
import pytest

import clapp_neuro
from clapp_neuro.errors import InputError
from compiler.bundle import read_bundle, read_unfinished, write_bundle
from compiler.events.columns import SynapseCount
from compiler.unfinished import Unfinished, from_parts, to_parts

IMAGES = 3000  # 27,000 fixations, several blocks


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    start = clapp_neuro.with_training(
        clapp_neuro.load_preset("fashion-dense"), mode="online", steps=0
    )
    clapp_neuro.train(start, folder / "model.pt")
    return clapp_neuro.compile(folder / "model.pt").path


def interrupted(bundle: Path, out: Path) -> clapp_neuro.RunResult:
    """A run that gets a Ctrl-C while its second block is running."""

    def report(done: int, total: int, unit: str) -> None:
        if done == 2000:
            signal.raise_signal(signal.SIGINT)

    return clapp_neuro.run(bundle, learn=True, images=IMAGES, seed=4, out=out, report=report)


def test_what_goes_on_ends_as_what_was_never_interrupted(bundle: Path, tmp_path: Path) -> None:
    whole = clapp_neuro.run(bundle, learn=True, images=IMAGES, seed=4, out=tmp_path / "w.clapp")
    out = tmp_path / "learned.clapp"
    first = interrupted(bundle, out)
    assert first.interrupted and 0 < first.fixations < whole.fixations
    assert read_unfinished(out).state.fixation == first.fixations

    second = clapp_neuro.run(out, resume=True, out=out)

    assert not second.interrupted
    assert out.read_bytes() == (tmp_path / "w.clapp").read_bytes()
    # the second part begins with what the first has learned
    own = {"out": str(out), "dead_before": second.dead_before}
    expected: dict[str, Any] = {**whole.to_json(), **own}
    assert second.to_json() == expected
    with pytest.raises(InputError, match="holds no interrupted run"):
        clapp_neuro.run(out, resume=True)


def test_an_interrupted_run_is_not_forgotten(bundle: Path, tmp_path: Path) -> None:
    interrupted(bundle, tmp_path / "a.clapp")
    with pytest.raises(InputError, match="go on with it"):
        clapp_neuro.run(tmp_path / "a.clapp", learn=True)


def test_ctrl_c_on_the_command_line(bundle: Path, tmp_path: Path) -> None:
    words = ["run", str(bundle), "--learn", "--images", "60000", "--out", "learned.clapp"]
    code, err = ctrl_c.interrupted(tmp_path, *words)
    assert code == 2
    assert "go on with: clapp-neuro run learned.clapp --resume --out learned.clapp" in err
    assert "Traceback" not in err
    assert read_unfinished(tmp_path / "learned.clapp").fixations == 9 * 60_000


def test_a_run_that_is_resumed_is_the_one_that_was_begun(bundle: Path, tmp_path: Path) -> None:
    interrupted(bundle, tmp_path / "a.clapp")
    for other in ({"images": 5}, {"seed": 0}):
        with pytest.raises(InputError, match="are those it began with"):
            clapp_neuro.run(tmp_path / "a.clapp", resume=True, **other)


def test_damaged_states_are_refused(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.clapp"
    interrupted(bundle, path)
    program, notes = read_bundle(path)
    run = read_unfinished(path)
    numbers, arrays = to_parts(run)

    def refused(fault: str, **changed: Any) -> None:
        damaged = from_parts(numbers, {**arrays, **{f"run.{k}": v for k, v in changed.items()}})
        write_bundle(tmp_path / "b.clapp", program, notes, damaged)
        with pytest.raises(InputError, match=fault):
            read_unfinished(tmp_path / "b.clapp")

    for columns in (SynapseCount.OPERATIONS, SynapseCount.VISITED, SynapseCount.AVERAGED):
        older = {"run.synapse_counts": run.state.synapse_counts[:, :columns]}
        without = from_parts(numbers, {**arrays, **older}).state  # maps, or rules, or copies
        assert np.array_equal(without.synapse_counts, run.state.synapse_counts)
    refused("fields is int32", fields=run.state.fields[:, 1:])
    refused("scores is int64", scores=run.state.scores[1:])
    refused("gates is float64", gates=run.state.gates.astype(float))
    write_bundle(tmp_path / "b.clapp", program, notes, Unfinished(0, 5, run.state))
    with pytest.raises(InputError, match="of 5 fixations were run"):
        read_unfinished(tmp_path / "b.clapp")
    for wrong in ({**numbers, "seed": "x"}, {"seed": 1}, {**numbers, "fixation": -1}):
        with pytest.raises((KeyError, TypeError)):
            from_parts(json.loads(json.dumps(wrong)), arrays)
