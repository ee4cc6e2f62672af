"""What a comparison of machines allows to conclude, and what it does not: one sentence."""

from __future__ import annotations

from compiler.energy.compare import Comparison


def conclude(comparison: Comparison) -> str:
    """One sentence about the reference beside the other machines, inference on the cores alone.

    A machine is told apart where the whole 90 % band of the ratio lies on one side of 1.
    """
    titles = {e.name: e.title for e in comparison.estimates}
    told: dict[str, list[str]] = {"more": [], "less": [], "open": []}
    for name, title in titles.items():
        ratio = comparison.multiple(name, learning=False)
        if name == comparison.reference or ratio is None:
            continue
        told["more" if ratio.low > 1 else "less" if ratio.high < 1 else "open"].append(title)
    if comparison.reference not in titles or not any(told.values()):
        return "Nothing may be concluded: there is no second machine whose dynamic energy is known."
    ours = titles[comparison.reference]
    parts = [
        f"{words} {_list(told[kind])}"
        for kind, words in (
            ("more", "less than"),
            ("less", "more than"),
            ("open", "an amount that these bands do not tell apart from"),
        )
        if told[kind]
    ]
    derived = [e.title for e in comparison.estimates if e.derived_from]
    unknown = (
        f", nor what {_list(derived)} itself would draw, of which nothing is published and whose "
        "coefficients are another chip's times an assumed factor"
        if derived
        else ""
    )
    return (
        f"It may be concluded that, for inference with this network on these images and counting "
        f"dynamic energy alone, {ours} takes {'; '.join(parts)}; it may not be concluded which "
        f"whole system takes less, since idle power, memory and hosts of most are not published"
        f"{unknown}."
    )


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
