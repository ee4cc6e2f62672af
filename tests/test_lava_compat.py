"""Lava is imported on any supported Python, only when it is needed, and nothing is left changed."""

from __future__ import annotations

import subprocess
import sys

from compiler.backends.lava import compat

BLOCK_LAVA = """
import sys
class NoLava:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "lava":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoLava())
"""


def python(code: str) -> str:
    """What the code prints in a fresh interpreter."""
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", path + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_dataclasses_are_as_before_once_lava_is_imported() -> None:
    said = python(
        "import dataclasses; before = dataclasses.dataclass\n"
        "from compiler.backends.lava.compat import load_lava\n"
        "load_lava()\n"
        "from lava.magma.compiler.var_model import ByteEncoder\n"
        "print(dataclasses.dataclass is before, ByteEncoder.__hash__)"
    )
    assert said == "True None"


def test_loading_twice_is_harmless() -> None:
    said = python(
        "from compiler.backends.lava.compat import load_lava\n"
        "load_lava(); load_lava()\n"
        "from lava.proc.dense.process import LearningDense; print(LearningDense.__name__)"
    )
    assert said == "LearningDense"


def test_dataclasses_are_restored_after_a_failed_import() -> None:
    said = python(
        "import dataclasses; before = dataclasses.dataclass\n"
        "from compiler.backends.lava.compat import hashable_lava_defaults\n"
        "try:\n"
        "    with hashable_lava_defaults():\n"
        "        assert dataclasses.dataclass is not before\n"
        "        raise KeyboardInterrupt\n"
        "except KeyboardInterrupt:\n"
        "    print(dataclasses.dataclass is before)"
    )
    assert said == "True"


def test_only_classes_of_lava_become_hashable() -> None:
    said = python(
        "import dataclasses\n"
        "from compiler.backends.lava.compat import hashable_lava_defaults\n"
        "class Other:\n"
        "    __hash__ = None\n"
        "Lava = type('Lava', (), {'__hash__': None, '__module__': 'lava.magma.somewhere'})\n"
        "with hashable_lava_defaults():\n"
        "    @dataclasses.dataclass\n"
        "    class Uses:\n"
        "        field: Lava = Lava()\n"
        "    assert hash(Uses().field) is not None\n"
        "    class Both:\n"
        "        other: Other = Other()\n"
        "    try:\n"
        "        dataclasses.dataclass(Both); print('accepted')\n"
        "    except ValueError:\n"
        "        print('refused')\n"
        "print(Lava.__hash__)"
    )
    # Python 3.10 refuses only lists, dicts and sets as defaults.
    expected = "refused" if sys.version_info >= (3, 11) else "accepted"
    assert said == f"{expected}\nNone"


def test_importing_the_backend_does_not_import_lava() -> None:
    said = python(
        "import sys, compiler.backends.lava\n"
        "print([m for m in sys.modules if m.split('.')[0] == 'lava'])"
    )
    assert said == "[]"


def test_where_lava_is_missing_the_message_is_the_command_that_installs_it() -> None:
    said = python(
        BLOCK_LAVA + "from clapp_neuro.errors import InputError\n"
        "from compiler.backends.lava.compat import load_lava\n"
        "try:\n"
        "    load_lava()\n"
        "except InputError as error:\n"
        "    print(error)"
    )
    assert compat.INSTALL in said
    assert "lava-nc==0.10.0" in said


def test_running_a_program_without_lava_says_the_same() -> None:
    said = python(
        BLOCK_LAVA + "from clapp_neuro.errors import InputError\n"
        "from compiler.backends import lava\n"
        "try:\n"
        "    lava.run(None, None)\n"
        "except InputError as error:\n"
        "    print(error)"
    )
    assert compat.INSTALL in said
