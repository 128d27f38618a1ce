"""Where the files are that come with ocsgw: in a checkout under `etc`, else under `share/ocsgw` of the installation."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2] / "etc"
_SHARE: Final = "share/ocsgw/"


def shared_file(name: str) -> Path | None:
    """Return the path of a file such as ``systemd/ocsgw.service``; None if it is not installed."""
    if (_CHECKOUT / name).is_file():
        return _CHECKOUT / name
    try:
        files = distribution("ocsgw").files or []
    except PackageNotFoundError:
        return None
    for file in files:
        if file.as_posix().endswith(_SHARE + name):
            place = Path(str(file.locate())).resolve()
            return place if place.is_file() else None
    return None
