"""Requests made from the OpenAPI document, sent to a real server: nothing is answered but what the document says."""

import os
import re
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import shared_server

_EXAMPLES = int(os.environ.get("OCSGW_OPENAPI_EXAMPLES", "25"))
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


class OpenApiTests(SynchronousTestCase):
    """`/openapi.json` as others use it."""

    def test_generated_requests(self) -> None:
        """Requests that fit the document, and some that do not, get answers of the document."""
        server = shared_server()
        with tempfile.TemporaryDirectory(prefix="ocsgw-") as folder:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json"),
                    *("--max-examples", str(_EXAMPLES), "--checks", _CHECKS, "--generation-deterministic"),
                    # Its answers do not end.
                    *("--exclude-path", "/events"),
                    *("--phases", "examples,coverage,fuzzing", "--no-color", "--suppress-health-check", "all"),
                ],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=300,
            )
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        generated = re.search(r"(\d+) generated", done.stdout)
        self.assertIsNotNone(generated, done.stdout[-2000:])
        self.assertGreater(int(generated[1]) if generated else 0, _EXAMPLES)
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100"}).status, 200)
