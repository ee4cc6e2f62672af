"""Who is compared with: the float network trained offline, and chips whose world did not change."""

from __future__ import annotations

from typing import Any

from shares import top

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]


def float_section(found: Found) -> str:
    rows = []
    for drift, all_of_it in found["drifts"].items():
        network = all_of_it["network"]
        if network is None:
            continue
        last = all_of_it["course"]["looks"][-1]
        shown = [
            top(network, "old"),
            top(network, "new"),
            None if drift == NEW_CLASSES else top(network, "old") - top(network, "new"),
            top(all_of_it["frozen"], "new"),
            top(last, "new"),
        ]
        if network["seeds"] == last["seeds"]:
            shown.append(top(last, "new") - top(network, "new"))
        else:
            shown.append(None)
        rows.append([f"`{drift}`", *("–" if v is None else with_interval(v) for v in shown)])
    if not rows:
        return ""
    header = ["", "float before", "float after", "its cost", "frozen chip", "chip that learned on"]
    header.append("that chip − float")
    return "\n\n".join(
        [
            "## Beside the float network trained offline",
            f"{found['scale']['batches']:,} minibatches of 64 images of the old world, then it "
            "learns nothing more. Readouts fitted anew, in the new world where nothing else is "
            "said.",
            markdown(header, rows),
        ]
    )


def unchanged_section(found: Found) -> str:
    """Chips that learn on in a world that stays as it was, by setting."""
    rows = []
    for name, courses in found["unchanged"].items():
        drift = next(d for d in found["drifts"] if (d == NEW_CLASSES) == (name == "old-classes"))
        frozen = found["drifts"][drift]["frozen"]
        for setting, course in courses.items():
            last = course["looks"][-1]
            seeds = last["seeds"]
            gain = top(last, "old") - top(frozen, "old", seeds=seeds)
            kept = top(last, "old_kept") - top(frozen, "old_kept", seeds=seeds)
            shown = (with_interval(v) for v in (top(last, "old"), gain, kept))
            rows.append([name, setting, f"{last['fixations']:,}", str(len(seeds)), *shown])
    if not rows:
        return ""
    header = ["old world", "setting", "fixations", "seeds", "learned on there"]
    header += ["gain, fitted anew", "gain, readout of before"]
    return "\n\n".join(
        [
            "## If nothing had changed",
            "The same chips learn on from as many fixations of the old world. What they gain comes "
            "from learning longer, not from the change; what the readout of before loses, from "
            "features that move although nothing has changed.",
            markdown(header, rows),
        ]
    )
