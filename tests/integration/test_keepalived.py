"""The supplied configuration of keepalived, on two machines: the address is where `/readyz` is 200."""

import os
import shutil
import subprocess
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import ROOT

_AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")
_SCRIPT = ROOT / "tests" / "integration" / "keepalived.sh"


class KeepalivedTests(SynchronousTestCase):
    """etc/keepalived/keepalived.conf as it is."""

    def test_address_follows_the_primary(self) -> None:
        """C85: keepalived takes the file; the address is on the primary, and on neither where there is none."""
        folder = tempfile.mkdtemp(prefix="ocsgw-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        config = ROOT / "etc" / "keepalived" / "keepalived.conf"
        done = subprocess.run(
            [*_AS_ROOT, "unshare", "--net", str(_SCRIPT), str(config), folder],
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        self.assertEqual(
            done.stdout.splitlines(),
            [
                "the configuration is right",
                "the address is on one",
                "the address is on neither",
                "the address is on two",
                "the address is on one",
            ],
            done.stderr,
        )
