"""The source distribution of this checkout and the wheel made of it, built once for all tests of a run."""

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.server import ROOT

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "var", "_trial_temp*", "*.egg-info", "__pycache__", "*.so")


def copy_sources(to: Path) -> None:
    """Make a folder with what this checkout has before any build."""
    shutil.copytree(ROOT, to, ignore=_LEFT_OUT)


@functools.cache
def built() -> tuple[Path, Path]:
    """Return both files; they are there until the end of the run. Nothing is fetched for the build.

    The wheel is made from the source distribution, so that has everything too. Raises `AssertionError`.
    """
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-wheel-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = folder / "source"
    copy_sources(source)
    # The environment of the tests has setuptools.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel
