"""`reproduce`: plans, resumption, tables and pictures, on tiny networks and real images."""

import json
import signal
from dataclasses import asdict, replace

import pytest
import torch

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import with_settings
from clapp_neuro.errors import InputError
from clapp_neuro.progress import silent
from clapp_neuro.reproduce import plan, published, tables
from clapp_neuro.reproduce.run import TARGETS, reproduce
from clapp_neuro.reproduce.runs import Place, _is_done, carry_out, carry_out_one
from clapp_neuro.rules.registry import METHODS
from clapp_neuro.training.run import train


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The small scale, smaller: dense networks, two minibatches, the shipped images."""
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")
    size = replace(
        plan.SIZES["small"],
        presets={"vgg": "fashion-dense-rate", "deep": "fashion-dense-rate"},
        steps={"fashion-dense-rate": 2},
        spiking={"steps": 2},
        readout={"fashion-dense-rate": plan.Readout(200, 300)},
        seeds=2,
    )
    monkeypatch.setitem(plan.SIZES, "small", size)


@pytest.mark.parametrize("scale", plan.SIZES)
@pytest.mark.parametrize("target", TARGETS)
def test_every_plan_is_valid_and_its_names_differ(target, scale):
    plans = TARGETS[target].plan(scale, [0, 1])
    assert plans
    assert len({p.name for p in plans}) == len(plans)
    for p in plans:
        assert p.experiment.train.total_steps > 0
        assert (
            not TARGETS[target].published
            or p.row in TARGETS[target].published
            or (target in ("vision", "figure4"))
        )


def test_the_papers_settings():
    clapp, s = (
        next(p for p in plan.table_1("paper", [0]) if p.row == row) for row in ("clapp", "clapp-s")
    )
    assert clapp.experiment.train.total_steps == 600 * 3125
    assert s.experiment.train.total_steps == 300 * 3125
    assert clapp.experiment.train.adam_rate == 2e-4
    assert clapp.experiment.train.distances == (2, 3, 4, 5, 6)
    assert {p.row for p in plan.vision("small", [0])} >= {
        name
        for name, method in METHODS.items()
        if not method.timed  # dense only
    }


def test_a_table_goes_on_where_it_stopped(tiny, tmp_path, monkeypatch):
    done = []
    first = reproduce("lecture-table", out=tmp_path, seeds=1, workers=1, report=lambda *a: None)
    assert [row[0] for row in first.rows[1:]] == list(published.LECTURE)
    found = json.loads((tmp_path / "small" / "lecture-table.json").read_text())
    assert len(found["methods"]["clapp"]["accuracy"][0]) == 3
    page = (tmp_path / "small" / "lecture-table.md").read_text()
    assert (
        "| 73.3 |" in page and "standardised features" in page and "comes with clapp-neuro" in page
    )

    def note(one, place):
        done.append(one.name)
        return carry_out_one(one, place)

    monkeypatch.setattr("clapp_neuro.reproduce.runs.carry_out_one", note)
    again = reproduce("lecture-table", out=tmp_path, seeds=2, workers=1)
    assert len(done) == 4 and all(name.endswith("seed1") for name in done)
    assert "±" in again.rows[1][1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_network_that_cannot_be_trained_is_named_and_stops_no_other(
    workers, tiny, tmp_path, monkeypatch
):
    plans = plan.lecture("small", [0])[:3]
    bad = replace(
        plans[1], experiment=with_settings(plans[1].experiment, train={"adam_rate": 1e30})
    )
    place = Place(tmp_path, None)
    with pytest.raises(InputError) as caught:
        carry_out([plans[0], bad, plans[2]], place, workers, silent)
    message = str(caught.value)
    assert message.startswith(f"{bad.name}: ") and "adam_rate" in message
    assert [place.result(p).exists() for p in plans] == [True, False, True]


def test_a_result_of_before_a_setting_existed_counts_and_others_do_not(tiny, tmp_path):
    one = plan.lecture("small", [0])[0]
    place = Place(tmp_path, None)
    place.result(one).parent.mkdir(parents=True)
    settings = one.experiment.model_dump(mode="json")
    for change, done in (
        (lambda s: s["train"].pop("skip"), True),
        (lambda s: s["train"].update(steps=99), False),
        (lambda s: s["train"].update(steps="many"), False),
        (lambda s: s.clear(), False),
    ):
        found = json.loads(json.dumps(settings))
        change(found)
        text = json.dumps({"settings": found, "readout": asdict(one.readout)})
        place.result(one).write_text(text)
        assert _is_done(one, place) == done
        assert not _is_done(replace(one, readout=plan.Readout(199, 300)), place)
    place.result(one).write_text("{")
    assert not _is_done(one, place)


def test_an_interrupted_network_goes_on(tiny, tmp_path, monkeypatch):
    one = plan.lecture("small", [0])[0]
    place = Place(tmp_path / "small", None)
    place.model(one).parent.mkdir(parents=True)

    def stop(done, total, note):
        if done == 1:
            signal.raise_signal(signal.SIGINT)

    assert train(one.experiment, place.model(one), report=stop).interrupted
    reproduce("lecture-table", out=tmp_path, seeds=1, workers=1)
    train(one.experiment, tmp_path / "whole.pt")
    ours, whole = (load_checkpoint(p).weights for p in (place.model(one), tmp_path / "whole.pt"))
    assert all(torch.equal(ours[name], whole[name]) for name in whole)


@pytest.mark.parametrize("target", ["figure3", "tsne", "alignment"])
def test_pictures(target, tiny, tmp_path):
    found = reproduce(target, out=tmp_path, seeds=1, workers=1)
    drawn = [path for path in found.files if path.suffix == ".png"]
    assert drawn and all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    methods = json.loads(found.files[0].read_text())["methods"]
    if target == "alignment":
        (curves,) = [m["alignment"] for m in methods.values()]
        assert curves["steps"] == [0, 1, 2, 3, 4]
        assert all(len(values) == 5 for values in curves["cosine"].values())


def test_two_workers_find_what_one_does(tmp_path, monkeypatch):
    """Without `tiny`, which other processes would not see: one step of a real plan."""
    one = plan.lecture("small", [0])[0]
    small = with_settings(one.experiment, data={"images": 200}, train={"steps": 1})
    plans = [
        plan.Planned(f"clapp {n}", with_settings(small, train={"seed": n}), plan.Readout(100, 100))
        for n in (0, 1)
    ]
    places = [Place(tmp_path / str(n), None) for n in (1, 2)]
    results = [
        carry_out(plans, place, number, lambda *a: None) for number, place in enumerate(places, 1)
    ]
    for ours, theirs in zip(*results, strict=True):
        assert ours["accuracy"] == theirs["accuracy"]


def test_bad_requests(tmp_path):
    with pytest.raises(InputError, match="did you mean 'table1'"):
        reproduce("table11", out=tmp_path)
    with pytest.raises(InputError, match="did you mean 'small'"):
        reproduce("table1", scale="smal", out=tmp_path)
    with pytest.raises(InputError, match="seeds is 0"):
        reproduce("table1", seeds=0, out=tmp_path)
    with pytest.raises(InputError, match="does not hold Fashion-MNIST"):
        reproduce("table1", data=str(tmp_path), out=tmp_path, workers=1)
    assert not list(tmp_path.glob("small/*.json"))


def test_spread():
    assert tables.spread([1.0]) == "1.0"
    assert tables.spread([1.0, 3.0]) == "2.0 ± 1.4"
