"""Folders of tests whose paths have to be short: a control socket may have 107 bytes at most."""

import shutil
import tempfile
from pathlib import Path
from unittest import TestCase


def short_folder(case: TestCase) -> Path:
    """Return a new folder, wherever the checkout is; it goes with the test."""
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-")).resolve()
    case.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder
