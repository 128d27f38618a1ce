"""The rules for Prometheus and the dashboard for Grafana: valid, and about metrics that exist."""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from ocsgw import counters
from ocsgw.admin.metrics import Metrics
from tests.admin.test_site import running

ETC = Path(__file__).resolve().parents[2] / "etc"
RULES = ETC / "prometheus" / "ocsgw.rules.yml"
DASHBOARD = ETC / "grafana" / "ocsgw.json"
_NAME = re.compile(r"\bocsgw_[a-z_]+\b")


def promtool(*arguments: str, text: str = "") -> tuple[int, str]:
    """Return status and output of promtool (Debian's package prometheus)."""
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class View:
    """A server of a pair that serves."""

    def status(self) -> dict[str, Any]:
        """What the metrics see."""
        return {**running(), "lease": {"epoch": 1, "remaining": 2.5}}


def exposed() -> str:
    """Return `/metrics`."""
    request: Any = DummyRequest([b"metrics"])
    return Metrics(View()).render_GET(request).decode()


class MonitoringFilesTests(SynchronousTestCase):
    """What stands in etc/prometheus and etc/grafana."""

    def names(self) -> set[str]:
        """Return the names of all samples that there can be."""
        found = {line.split()[2] for line in exposed().splitlines() if line.startswith("# TYPE")}
        found |= {each.name for each in counters.ALL}
        return found | {f"{each.name}_{part}" for each in counters.HISTOGRAMS for part in ("bucket", "sum", "count")}

    def expressions(self) -> list[str]:
        """Return the queries of the dashboard, with a range as Grafana puts it in."""
        panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
        found = [target["expr"] for panel in panels for target in panel["targets"]]
        return [each.replace("$__rate_interval", "5m").replace("$instance", ".*") for each in found]

    def test_rules(self) -> None:
        """Each alert is valid, fires when it has to, and none of them on a server that is well."""
        for arguments in (("check", "rules", str(RULES)), ("test", "rules", str(RULES.with_suffix(".test.yml")))):
            status, output = promtool(*arguments)
            self.assertEqual(status, 0, output)

    def test_metrics(self) -> None:
        """`/metrics` is written as Prometheus wants it."""
        status, output = promtool("check", "metrics", text=exposed())
        self.assertEqual((status, output), (0, ""))

    def test_queries(self) -> None:
        """Each query of the dashboard is one."""
        rules = [{"record": f"panel:{at}", "expr": each} for at, each in enumerate(self.expressions())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            status, output = promtool("check", "rules", file.name)
        self.assertEqual(status, 0, output)

    def test_names(self) -> None:
        """Alerts and dashboard ask for nothing that does not exist."""
        asked = set(_NAME.findall(RULES.read_text(encoding="utf-8") + "\n".join(self.expressions())))
        self.assertGreater(len(asked), 10)
        # In the texts of alerts a histogram is named as a whole.
        known = self.names() | {each.name for each in counters.HISTOGRAMS}
        self.assertEqual(asked - known, set())
