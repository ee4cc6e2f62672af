"""All files of a project, in memory."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

import numpy as np

from compiler.backends.lava.compat import INSTALL
from compiler.backends.lava.project.carried import PACKAGE, carried_sources
from compiler.backends.lava.project.licence import LICENCE
from compiler.backends.lava.project.readme import readme
from compiler.parts import take_apart
from compiler.program import Program
from compiler.trace import Stimulus

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time stamp, so that equal programs give equal files


def project_files(
    program: Program,
    stimulus: Stimulus,
    expected: Mapping[str, np.ndarray],
    expected_learning: Mapping[str, np.ndarray] | None,
) -> dict[str, bytes]:
    """Path → content. The program must be one that Lava can express (`require_expressible`).

    expected: what the run without learning has to end with, and expected_learning (None where
    nothing is plastic) that with it, by the names that `found_in` of the run script gives.
    """
    values, arrays = take_apart(program)
    shown = {f"{name}.intensities": seen for name, seen in stimulus.intensities.items()}
    shown |= {f"{name}.signal": stimulus.signals[name] for name in program.modulators}
    files = {path: text.encode() for path, text in carried_sources().items()}
    files |= {
        f"{PACKAGE}/__init__.py": b'"""The network as Lava processes; `build` connects them."""\n',
        "LICENSE": LICENCE.encode(),
        "README.md": readme(program, stimulus.fixations).encode(),
        "requirements.txt": _requirements().encode(),
        "program.json": (json.dumps(values, indent=1, allow_nan=False) + "\n").encode(),
        "weights.npz": npz(arrays),
        "stimulus.npz": npz(shown),
        "expected.npz": npz(expected),
    }
    if expected_learning is not None:
        files["expected_learning.npz"] = npz(expected_learning)
    return dict(sorted(files.items()))


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as numpy's `load` reads them; equal arrays give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _requirements() -> str:
    """Only lava-nc: its own metadata refuse the Pythons and the numpy that it runs with."""
    needed, lava = INSTALL.split(" && ")
    return (
        "# lava-nc's metadata refuse every Python but 3.10; with the module\n"
        f"# {PACKAGE}/compat.py it runs on 3.10 to 3.13. So install it in two steps:\n"
        "#\n"
        f"#     {needed}\n"
        "#     python -m pip install --no-deps --ignore-requires-python -r requirements.txt\n"
        f"{lava.split()[-1]}\n"
    )
