"""The locks agree, and production gets all that the bot imports and nothing else."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")

Pins = dict[str, tuple[str, str, frozenset[str]]]


def pins(lock: str) -> Pins:
    """Return each package's version, marker and hashes."""
    packages: Pins = {}
    for block in re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip()):
        requirement = Requirement(block.partition(" \\")[0])
        hashes = frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
        name = canonicalize_name(requirement.name)
        packages[name] = (str(requirement.specifier), str(requirement.marker or ""), hashes)
    return packages


def installed_closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of all that these requirements need on this machine."""
    names: set[str] = set()
    pending = [(Requirement(text), "") for text in requirements]
    for requirement, extra in pending:
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        names.add(canonicalize_name(requirement.name))
        for text in distribution(requirement.name).requires or ():
            for name in requirement.extras | {""}:
                nested = (Requirement(text), name)
                if nested not in pending:
                    pending.append(nested)
    return names


def imported_modules() -> set[str]:
    """Return the top names of all that the bot's code imports, wherever it does."""
    names = set()
    for folder in ("bot", "handlers"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"bot", "handlers"}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_one_version_with_its_hashes_and_no_index_is_named(lock: str) -> None:
    assert not re.search(r"^-|://", (ROOT / lock).read_text(), re.MULTILINE)
    for version, _marker, hashes in pins(lock).values():
        assert version.startswith("==")
        assert hashes


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_production_runs_and_builds_what_is_developed_with(lock: str) -> None:
    assert pins(lock).items() <= pins("requirements-dev.lock").items()


def test_production_gets_what_the_project_depends_on_and_nothing_else() -> None:
    locked = {
        name
        for name, (_version, marker, _hashes) in pins("requirements.lock").items()
        if not marker or Marker(marker).evaluate()
    }
    assert locked == installed_closure(PROJECT["project"]["dependencies"])


def test_no_module_of_the_bot_imports_what_production_lacks() -> None:
    distributions = packages_distributions()
    locked = pins("requirements.lock").keys()
    missing = {
        module
        for module in imported_modules()
        if not {canonicalize_name(name) for name in distributions[module]} & locked
    }
    assert not missing
