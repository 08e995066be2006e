"""Programs that some tests need and that no lock brings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# What pip has installed beside us, and daemons, which are not on everybody's path.
os.environ["PATH"] += f"{os.pathsep}{Path(sys.executable).parent}{os.pathsep}/usr/sbin"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing, but never in CI."""
    missing = [program for program in programs if shutil.which(program) is None]
    skipped = bool(missing) and not os.environ.get("CI")
    return pytest.mark.skipif(skipped, reason=f"{', '.join(missing)} is not installed")


def run_program(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with these variables beside those of the tests."""
    return subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
