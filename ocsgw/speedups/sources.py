"""What the compiled parts are made from: the build writes its digest into them; they are used only where it fits."""

import hashlib
from pathlib import Path


def digest() -> str:
    """Return a digest of all Cython sources in this folder, in hexadecimal digits."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.p[yx][xd]")):
        text = path.read_bytes()
        total.update(f"{path.name} {len(text)}\n".encode() + text)
    return total.hexdigest()
