"""The modules that a project carries: those that its run script imports, and what these import.

They are the files of this package as they are; only the dotted names of modules change, since they
move into one package. So a project cannot compute anything else than the backend does.
"""

from __future__ import annotations

import ast
import re
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

RUN = "compiler.backends.lava.project.run"
PACKAGE = "lava_network"
OURS = ("clapp_neuro", "compiler")
# What a module's name begins with here and not there; the first that fits.
PREFIXES = (
    "compiler.backends.lava.project.",
    "compiler.backends.lava.",
    "compiler.",
    "clapp_neuro.",
)


def carried_sources() -> dict[str, str]:
    """Path inside the project → source text, of the run script and of all that it needs."""
    found: dict[str, str] = {}
    waiting = [RUN]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _source(name)
            waiting += _imported(found[name])
    names = {name: _new_name(name) for name in found}
    assert len(set(names.values())) == len(names), "two modules of one name"
    files = {_path(name, names[name]): _renamed(text, names) for name, text in found.items()}
    for folder in {path.rpartition("/")[0] for path in files} - {"", PACKAGE}:
        if f"{folder}/__init__.py" in files:
            continue
        own = "compiler.backends.lava." + folder.removeprefix(f"{PACKAGE}/").replace("/", ".")
        files[f"{folder}/__init__.py"] = _renamed(_source(own), names)
    return dict(sorted(files.items()))


def _spec(name: str) -> ModuleSpec:
    spec = find_spec(name)
    assert spec is not None, name
    return spec


def _source(name: str) -> str:
    text = _spec(name).loader.get_source(name)  # type: ignore[union-attr]
    assert isinstance(text, str), name
    return text


def _imported(text: str) -> list[str]:
    """Our modules that a source imports, wherever in it."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    modules = [node.module for node in nodes if node.module is not None]
    return [m for m in modules if m.split(".")[0] in OURS and m != "__future__"]


def _new_name(name: str) -> str:
    if name == RUN:
        return "run"
    prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
    return f"{PACKAGE}.{name.removeprefix(prefix)}"


def _path(name: str, new: str) -> str:
    path = new.replace(".", "/")
    is_folder = _spec(name).submodule_search_locations is not None
    return f"{path}/__init__.py" if is_folder else f"{path}.py"


def _renamed(text: str, names: dict[str, str]) -> str:
    """The source with each module's new name, in imports and where the text speaks of it."""
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = rf"(?<![\w.])({alternatives})\b"
    return _sorted_imports(re.sub(pattern, lambda match: names[match.group()], text))


def _sorted_imports(text: str) -> str:
    """The block of the package's own imports at the top, which stood in another order."""
    imports = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)
    ]
    if not imports:
        return text
    lines = text.splitlines(keepends=True)
    first, last = imports[0].lineno - 1, imports[-1].end_lineno
    block = [
        "".join(lines[node.lineno - 1 : node.end_lineno])
        for node in sorted(imports, key=lambda node: node.module or "")
    ]
    return "".join([*lines[:first], *block, *lines[last:]])
