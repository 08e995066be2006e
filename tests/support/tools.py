"""Programs that some tests need and that no lock brings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# With what pip has installed beside us, and with daemons, which are not on everybody's path.
PATH = os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent), "/usr/sbin"])


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing, but never in CI."""
    missing = [program for program in programs if not shutil.which(program, path=PATH)]
    skipped = bool(missing) and os.environ.get("CI") != "true"
    return pytest.mark.skipif(skipped, reason=f"{', '.join(missing)} is not installed")


def run_program(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with these variables beside those of the tests."""
    return subprocess.run(
        command,
        env=os.environ | {"PATH": PATH} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
