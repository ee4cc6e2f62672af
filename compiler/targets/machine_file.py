"""Machine files: JSON text to validated data, and what is wrong with it in one sentence.

A file may extend a machine that ships, `{"extends": "loihi2", "limits": {"chips": 2}}`: what it
does not say is as there. Of a figure it may give the value alone, or some of its parts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from clapp_neuro.errors import InputError, nearest, unknown
from compiler.targets.figures import SECTIONS

EXAMPLE = "compare with hw_configs/loihi2.json"
# Steps of pydantic's paths that stand for no key of the file: which kind or form it tried.
FORMS = ("neuromorphic", "conventional", "Figure", "Measure", "Derived", "Missing", "Included")
FIGURES = ("limits", "capabilities", "factors", "energy", "power", "time", "routing")
"""Sections that hold figures."""
TEXTS = {"source": "sources", "conditions": "conditions"}
"""What figures say by a key, and the table of the file that has the full text."""
Data = dict[str, Any]


def read_object(text: str, where: str) -> Data:
    """The JSON object in a file; InputError names the file."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not a machine file: not valid JSON ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"{where} is not a machine file: a JSON object is expected")
    return data


def whole_description(
    data: Data, where: str, known: Iterable[str], read: Callable[[str], Data]
) -> Data:
    """The data with sources in full, and with what the file extends filled in.

    InputError where it extends none of the `known` machines, or itself.
    """
    chain: list[Data] = []
    seen: list[str] = []
    while True:
        chain.append(_with_full_texts(data))
        base = data.get("extends")
        if base is None:
            break
        if not isinstance(base, str):
            raise InputError(
                f"{where} is not a machine file: 'extends' is the name of a machine that ships, "
                f"one of {', '.join(known)}"
            )
        if base not in known:
            raise InputError(f"{where}: {unknown('machine to extend', base, known)}")
        if base in seen:
            raise InputError(f"{where} is not a machine file: {base} extends itself")
        seen.append(base)
        data = read(base)
    described = chain.pop()
    for over in reversed(chain):
        described = _extended(described, over, where)
    return described


def validated(
    data: Data, where: str, adapter: TypeAdapter[Any], kinds: Mapping[str, type[BaseModel]]
) -> Any:
    """The machine of one of the kinds that the data describe; InputError names the first fault."""
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        raise InputError(f"{where} is not a machine file: {_first_fault(error, kinds)}") from None


def _extended(base: Data, over: Data, where: str) -> Data:
    """The base with what `over` says in its place."""
    described = {**base, **over}
    for section in FIGURES:
        given = over.get(section, {})
        if section in base and isinstance(given, dict):
            figures = {
                key: _overridden(base[section].get(key), value, where, SECTIONS.get(section))
                for key, value in given.items()
            }
            described[section] = {**base[section], **figures}
    return described


def _overridden(base: Any, value: Any, where: str, unit: str | None) -> Any:
    """A figure of the base with another value or other parts; grade C unless the file says.

    null takes away a limit that a machine need not have. unit: of the section's coefficients, which
    have conditions, too; None: the base's own.
    """
    if value is None:
        return None
    parts = value if isinstance(value, dict) else {"value": value}
    if not isinstance(base, dict) or not base.keys() & {"value", "like"} or "value" not in parts:
        return {**base, **value} if isinstance(base, dict) and "low" in parts else value
    own: Data = {"grade": "C", "source": f"set in {where}"}
    if not isinstance(base.get("value"), bool):
        own |= {"low": parts["value"], "high": parts["value"], "unit": unit or base.get("unit")}
    if "conditions" in base:
        own["conditions"] = f"set in {where}"
    return {**own, "public": base.get("public", True), **parts}


def _first_fault(error: ValidationError, kinds: Mapping[str, type[BaseModel]]) -> str:
    """The first fault with its place, its value where that is short, and how many more."""
    faults = error.errors(include_url=False)
    fault = faults[0]
    # a coefficient may have one of several forms, of which pydantic finds fault with each
    others = len({tuple(_keys(one)[:2]) for one in faults}) - 1
    more = f" (and {others} more)" if others else ""
    if fault["type"].startswith("union_tag"):
        return f"its 'kind' must be 'neuromorphic' or 'conventional'{_shown(fault)}; {EXAMPLE}"
    path = _keys(fault)
    place = ".".join(path) or "the file"
    if fault["type"] == "extra_forbidden":
        guess = _guess(path, kinds[str(fault["loc"][0])])
        return f"{place}: there is no such key{guess}{more}; {EXAMPLE}"
    message = fault["msg"].removeprefix("Value error, ")
    own = fault["type"] == "value_error"  # raised here, already names the value
    return f"{place}: {message}{'' if own else _shown(fault)}{more}; {EXAMPLE}"


def _keys(fault: Any) -> list[str]:
    """The keys of the file that lead to a fault."""
    parts = (str(part) for part in fault["loc"])
    return [part for part in parts if part not in FORMS and not part.startswith("function-")]


def _guess(path: list[str], machine: type[BaseModel]) -> str:
    """Which key an unknown one was most likely meant to be."""
    parts: list[type[BaseModel]] = [machine]
    for key in path[:-1]:
        fields = [p.model_fields[key].annotation for p in parts if key in p.model_fields]
        parts = [model for annotation in fields for model in _models(annotation)]
    guess = nearest(path[-1], {name for part in parts for name in part.model_fields})
    return f", did you mean '{guess}'?" if guess else ""


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation allows: itself, or parts of a union."""
    options = get_args(annotation) or (annotation,)
    return [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]


def _shown(fault: Any) -> str:
    value = fault.get("ctx", {}).get("tag", fault.get("input"))
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, str | int | float) and len(text := repr(value)) <= 80:
        return f", not {text}"
    return ""


def _with_full_texts(data: Data) -> Data:
    """Figures name source and conditions by keys of the file's tables; each gets the full text."""
    tables = {key: data.get(table, {}) for key, table in TEXTS.items()}

    def expand(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        full = {key: expand(value) for key, value in part.items()}
        for key, table in tables.items():
            if isinstance(table, dict) and isinstance(full.get(key), str):
                full[key] = table.get(full[key], full[key])
        return full

    return {key: expand(value) for key, value in data.items() if key not in TEXTS.values()}
