"""Build a Debian package: an environment with everything under /opt/ocsgw, units, manual pages, logrotate file.

It is used as `python packaging/deb/build.py DIR`, by a Python with pip and ocsgw, and writes the package into the
folder. The package is for machines with the same release of Debian's Python as this one.
"""

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = "opt/ocsgw"
CONTROL = """Package: ocsgw
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Depends: {depends}
Suggests: logrotate
Section: comm
Priority: optional
Description: open Outbound Contact Server with its HTTP Proxy
 Holds the calling lists of a contact centre, and lets voice platforms, CRM
 back ends, dialers and agent desktops change them over HTTP with JSON.
"""
# Where shells look for the completion of commands.
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/ocsctl",
    "fish": "usr/share/fish/vendor_completions.d/ocsctl.fish",
    "zsh": "usr/share/zsh/vendor-completions/_ocsctl",
}
CONFFILES = ("/etc/logrotate.d/ocsgw",)


def run(*command: object) -> str:
    """Run a command; its output, or the end of this program with what it says."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def install(stage: Path, python: str, source: str, pip_options: list[str]) -> None:
    """Make the environment, as it will be at its place on the machine."""
    home = stage / HOME
    run(python, "-m", "venv", "--without-pip", "--symlinks", home)
    run(sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet", "--no-compile",
        "--disable-pip-version-check", *pip_options, source)  # fmt: skip
    for script in (home / "bin").iterdir():
        if script.name.lower().startswith("activate"):
            script.unlink()
        elif not script.is_symlink():
            script.write_text(script.read_text(encoding="utf-8").replace(f"{stage}/", "/"), encoding="utf-8")
    configuration = home / "pyvenv.cfg"
    configuration.write_text(configuration.read_text(encoding="utf-8").replace(f"{stage}/", "/"), encoding="utf-8")
    run(home / "bin" / "python", "-m", "compileall", "-q", "-s", stage, "-p", "/", home / "lib")
    if not any(home.glob("lib/python*/site-packages/ocsgw/speedups/*.so")):
        sys.stderr.write(
            "Warning: the package has no compiled parts and is slower: gcc or the header files of "
            f"{python} are missing (Debian: gcc and python3-dev).\n"
        )


def spread(stage: Path) -> None:
    """Put what comes under `share` where Debian wants it."""
    share = stage / HOME / "share"
    units = stage / "usr/lib/systemd/system"
    shutil.copytree(share / "ocsgw/systemd", units)
    for unit in units.iterdir():
        # Before "ocsgw init" there is nothing to serve.
        name = "%i" if "@" in unit.name else "ocsgw"
        condition = f"[Unit]\nConditionPathExists=/etc/ocsgw/{name}.toml\n"
        unit.write_text(unit.read_text(encoding="utf-8").replace("[Unit]\n", condition, 1), encoding="utf-8")
    shutil.copytree(share / "ocsgw/logrotate", stage / "etc/logrotate.d")
    shutil.copytree(share / "doc/ocsgw", stage / "usr/share/doc/ocsgw")
    for page in share.glob("man/man*/*"):
        packed = stage / "usr/share/man" / page.parent.name / f"{page.name}.gz"
        packed.parent.mkdir(parents=True, exist_ok=True)
        packed.write_bytes(gzip.compress(page.read_bytes(), mtime=0))
    commands = stage / "usr/bin"
    commands.mkdir(parents=True)
    for command in ("ocsctl", "ocsgw"):
        (commands / command).symlink_to(f"/{HOME}/bin/{command}")
    for shell, place in COMPLETIONS.items():
        file = stage / place
        file.parent.mkdir(parents=True, exist_ok=True)
        made = run(sys.executable, "-m", "ocsgw.ctl", "completion", shell)
        file.write_text(made, encoding="utf-8")


def describe(stage: Path, python: str, version: str, maintainer: str) -> str:
    """Write what dpkg has to know, and return the architecture."""
    architecture = run("dpkg", "--print-architecture").strip()
    major, minor = map(int, run(python, "-c", "import sys; print(*sys.version_info[:2])").split())
    depends = f"python3 (>= {major}.{minor}), python3 (<< {major}.{minor + 1})"
    folder = stage / "DEBIAN"
    folder.mkdir()
    control = CONTROL.format(version=version, architecture=architecture, maintainer=maintainer, depends=depends)
    (folder / "control").write_text(control, encoding="utf-8")
    (folder / "conffiles").write_text("".join(f"{file}\n" for file in CONFFILES), encoding="utf-8")
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(ROOT / "packaging/deb" / script, folder / script)
        (folder / script).chmod(0o755)
    return architecture


def main() -> None:
    """Build the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter that the package will use")
    parser.add_argument("--source", default=str(ROOT), help="what pip installs: the checkout, or a wheel")
    parser.add_argument("--version", default=_version())
    parser.add_argument("--maintainer", default="ocsgw maintainers <maintainers@localhost>")
    parser.add_argument("--level", default="6", help="how hard to compress, 0 to 9")
    parser.add_argument("--pip-option", action="append", default=[], help="a further option of pip install")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ocsgw-deb-") as folder:
        stage = Path(folder).resolve() / "stage"
        stage.mkdir(mode=0o755)
        install(stage, arguments.python, arguments.source, arguments.pip_option)
        spread(stage)
        architecture = describe(stage, arguments.python, arguments.version, arguments.maintainer)
        arguments.directory.mkdir(parents=True, exist_ok=True)
        package = arguments.directory / f"ocsgw_{arguments.version}_{architecture}.deb"
        run("dpkg-deb", "--build", "--root-owner-group", "-Zxz", f"-z{arguments.level}", stage, package)
    sys.stdout.write(f"{package}\n")


def _version() -> str:
    text = (ROOT / "ocsgw/version.py").read_text(encoding="utf-8")
    return text.split('VERSION = "')[1].split('"')[0]


if __name__ == "__main__":
    main()
