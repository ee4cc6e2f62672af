"""Machine files: JSON text to validated data, and what is wrong with it in one sentence."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clapp_neuro.errors import InputError

EXAMPLE = "compare with hw_configs/loihi2.json"
# Steps of pydantic's paths that stand for no key of the file: which kind or form it tried.
FORMS = ("neuromorphic", "conventional", "Measure", "Derived", "Missing", "Included")
TABLES = ("sources", "conditions")  # texts that figures name


def read_machine(text: str, where: str, adapter: TypeAdapter[Any]) -> Any:
    """The machine that the text describes; InputError names the file and the first fault."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not a machine file: not valid JSON ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"{where} is not a machine file: a JSON object is expected")
    try:
        return adapter.validate_python(_with_full_texts(data))
    except ValidationError as error:
        raise InputError(f"{where} is not a machine file: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    """The first fault with its place, its value where that is short, and how many more."""
    fault = error.errors(include_url=False)[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if fault["type"].startswith("union_tag"):
        return f"its 'kind' must be 'neuromorphic' or 'conventional'{_shown(fault)}; {EXAMPLE}"
    place = ".".join(str(part) for part in fault["loc"] if part not in FORMS) or "the file"
    message = fault["msg"].removeprefix("Value error, ")
    own = fault["type"] == "value_error"  # raised here, already names the value
    return f"{place}: {message}{'' if own else _shown(fault)}{more}; {EXAMPLE}"


def _shown(fault: Any) -> str:
    value = fault.get("ctx", {}).get("tag", fault.get("input"))
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, str | int | float) and len(text := repr(value)) <= 80:
        return f", not {text}"
    return ""


def _with_full_texts(data: dict[str, Any]) -> dict[str, Any]:
    """Figures name source and conditions by keys of the file's tables; each gets the full text."""
    tables = {"source": data.get("sources", {}), "conditions": data.get("conditions", {})}

    def expand(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        full = {key: expand(value) for key, value in part.items()}
        for key, table in tables.items():
            if isinstance(table, dict) and isinstance(full.get(key), str):
                full[key] = table.get(full[key], full[key])
        return full

    return {key: expand(value) for key, value in data.items() if key not in TABLES}
