"""The software that a result was made with."""

from __future__ import annotations

from importlib import metadata

RECORDED = ("clapp-neuro", "torch", "snntorch", "numpy")


def software_versions() -> dict[str, str]:
    """Versions of clapp-neuro and of what its results depend on."""
    versions = {}
    for name in RECORDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed (run from its source tree)"
    return versions
