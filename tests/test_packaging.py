"""What is installed is what is here: every package, every data file, one version, each
dependency with a reason, and the documented command for Lava the one that messages give."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest

from clapp_neuro.versions import software_versions
from compiler.backends.lava import compat
from compiler.targets import machine_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("clapp_neuro", "compiler", "hw_configs")
IMPORT_NAMES = {
    "PIL": "pillow",
    "pynvml": "nvidia-ml-py",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}

if not (ROOT / "pyproject.toml").is_file() or not (ROOT / "compiler").is_dir():
    pytest.skip("needs the source tree", allow_module_level=True)

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def distribution(requirement: str) -> str:
    """The name in a requirement."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found.group()


DEPENDENCIES = [distribution(r) for r in PROJECT["project"]["dependencies"]]
DEVELOPMENT = [distribution(r) for r in PROJECT["project"]["optional-dependencies"]["dev"]]


def sources() -> list[Path]:
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("name", [*DEPENDENCIES, "lava-nc"])
def test_each_dependency_has_a_reason(name: str) -> None:
    rows = (ROOT / "docs" / "dependencies.md").read_text("utf-8").splitlines()
    reasons = [r for r in rows if re.match(rf"\| {re.escape(name)} [^|]*\| *\S.*\|$", r)]
    assert len(reasons) == 1


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_each_development_tool_has_a_reason(name: str) -> None:
    last = (ROOT / "docs" / "dependencies.md").read_text("utf-8").split("For development:")[1]
    assert re.search(rf"\b{re.escape(name)}\b", last)


def test_no_reason_without_its_dependency() -> None:
    rows = (ROOT / "docs" / "dependencies.md").read_text("utf-8").splitlines()
    named = [r.split()[1] for r in rows if r.startswith("| ")]
    assert set(named) - {"package", "---", "lava-nc"} == set(DEPENDENCIES)


def test_whatever_is_imported_is_a_dependency() -> None:
    imported = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - set(PACKAGES) - {"lava"}
    assert {IMPORT_NAMES.get(name, name) for name in foreign} <= set(DEPENDENCIES)


def test_dependencies_have_a_lower_bound_and_no_other() -> None:
    for requirement in PROJECT["project"]["dependencies"]:
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", requirement), requirement


def test_only_the_lava_backend_imports_lava() -> None:
    backend = ROOT / "compiler" / "backends" / "lava"
    for path in sources():
        if backend not in path.parents:
            assert not re.search(r"^\s*(import|from) lava\b", path.read_text("utf-8"), re.M), path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as setuptools copies them for a wheel."""
    from setuptools import Distribution
    from setuptools.config.pyprojecttoml import apply_configuration

    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        described = Distribution({"script_name": "setup.py"})
        apply_configuration(described, "pyproject.toml")
        # Only what is declared counts, not the list that an earlier installation left behind.
        described.include_package_data = False
        command = described.get_command_obj("build_py")
        command.build_lib = str(folder)
        command.ensure_finalized()
        command.run()
    return folder


@pytest.mark.filterwarnings("ignore")
def test_every_module_and_data_file_is_installed(built: Path) -> None:
    here = {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    there = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    assert there == here


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in sources()}
    assert [f for f in folders if not (f / "__init__.py").is_file()] == []


def test_data_files_are_read_as_resources() -> None:
    assert {"loihi1", "loihi2"} <= set(machine_names())
    presets = resources.files("clapp_neuro").joinpath("presets")
    assert any(p.name == "fashion-dense.json" for p in presets.iterdir())
    shipped = resources.files("clapp_neuro").joinpath("data").joinpath("shipped")
    assert sum(p.name.endswith(".gz") for p in shipped.iterdir()) == 4
    assert any("LICENSE" in p.name for p in shipped.iterdir())


def test_shipped_images_are_at_most_5_megabytes() -> None:
    shipped = ROOT / "clapp_neuro" / "data" / "shipped"
    assert sum(p.stat().st_size for p in shipped.iterdir()) <= 5e6


def test_the_version_is_in_one_place() -> None:
    version = PROJECT["project"]["version"]
    assert metadata.version("clapp-neuro") == version
    assert software_versions()["clapp-neuro"] == version
    assert [p for p in sources() if "__version__" in p.read_text("utf-8")] == []


def test_the_command_is_declared() -> None:
    (command,) = metadata.entry_points(group="console_scripts", name="clapp-neuro")
    assert callable(command.load())


def test_the_command_for_lava_is_one() -> None:
    assert compat.INSTALL in (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "import INSTALL" in makefile
    assert "lava-nc" not in makefile
    first, second = compat.INSTALL.split(" && ")
    assert "lava-nc==" in second
    needed = first.removeprefix("python -m pip install ").split()
    assert set(needed) < set(DEPENDENCIES)  # so that `clapp-neuro` alone has what Lava needs


def test_pythons_agree() -> None:
    project = PROJECT["project"]
    assert project["requires-python"] == ">=3.10,<3.14"
    named = [c.split()[-1] for c in project["classifiers"] if "Python :: 3." in c]
    assert named == ["3.10", "3.11", "3.12", "3.13"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "(3, 10) <= sys.version_info[:2] <= (3, 13)" in makefile


def test_makefile_has_the_promised_targets() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert {"help", "setup", "demo", "test", "slow", "lint", "bench", "clean"} <= set(targets)
