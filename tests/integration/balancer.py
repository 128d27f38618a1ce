"""A real HAProxy with a configuration of the examples."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PATIENCE, ROOT

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def start_balancer(test: SynchronousTestCase, name: str, ports: Mapping[int, int]) -> None:
    """Start HAProxy with `etc/haproxy/NAME`; `ports` has, by each port of the example, that of the test."""
    test.assertIsNotNone(HAPROXY, "install haproxy (make test does)")
    text = (ROOT / "etc" / "haproxy" / name).read_text(encoding="utf-8")
    test.assertEqual({int(port) for port in re.findall(r"[: ]([578][0-9]{3})\s", text)}, set(ports))
    text = re.sub(r"(?<=[: ])[578][0-9]{3}(?=\s)", lambda match: str(ports[int(match[0])]), text)
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
    test.addCleanup(shutil.rmtree, folder)
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    balancer = subprocess.Popen(
        [str(HAPROXY), "-db", "-f", str(folder / "haproxy.cfg")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    test.addCleanup(balancer.wait, PATIENCE)
    test.addCleanup(balancer.terminate)
