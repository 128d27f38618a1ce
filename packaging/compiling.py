"""How setuptools builds ocsgw, and compiles ocsgw/speedups (`[tool.setuptools.cmdclass]` in pyproject.toml).

Each part gets the digest of the sources, so that a part of other sources is not used by mistake.
"""

import os
import runpy
from pathlib import Path

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

_ROOM = Path(__file__).resolve().parents[1] / "ocsgw/speedups"


class CopyFiles(build_py):
    """Copies into the folder of the build, and leaves nothing there that an earlier build has put there.

    A file that the sources no longer have, such as a migration under an old name, would be installed with the others.
    """

    def run(self) -> None:
        """Copy the files of all packages; compiled parts stay, and are made anew where they do not fit."""
        for package in {name.partition(".")[0] for name in self.packages or ()}:
            for path in list((Path(self.build_lib) / package).rglob("*")):
                if path.suffix != ".so" and not path.is_dir():
                    path.unlink()
        super().run()


class CompileParts(build_ext):
    """Compiles by Cython where the files in C go to the folder of the build, and not beside their sources."""

    def build_extension(self, ext: Extension) -> None:
        """Compile one part."""
        # An option of Cython's own command, from which setuptools takes this one if there is Cython.
        self.cython_c_in_temp = True
        ext.define_macros.append(("OCSGW_SOURCES", f'"{runpy.run_path(str(_ROOM / "sources.py"))["digest"]()}"'))
        # As the digest is that of all of them, a change of one makes every part anew.
        ext.depends += [str(path) for path in _ROOM.glob("*.p[yx][xd]")]
        super().build_extension(ext)

    def get_output_mapping(self) -> dict[str, str]:
        """Return what an installation from a checkout links to; a part that could not be compiled is none of it."""
        files: dict[str, str] = super().get_output_mapping()
        return {link: file for link, file in files.items() if os.path.exists(file)}
