"""`make tls-audit`: what testssl.sh and nmap say about a fresh server with HTTPS and defaults.

Fails with status 1 if testssl.sh finds anything above LOW, or nmap grades a suite below A. What testssl.sh says about
the trust and the revocation addresses of the test authority's certificate does not count.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.server import Server
from tests.support.certificates import DAY, NOW, Authority

_SERIOUS = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}
# Remarks about the test authority: nobody trusts it, and it has no addresses for revocation.
_OF_THE_AUTHORITY = {
    "cert_chain_of_trust",
    "cert_revocation",
    "cert_crlDistributionPoints",
    "cert_ocspURL",
    "DNS_CAArecord",
    "overall_grade",
}
_TLS = '[listener.tls]\ncertificate = "server.pem"\ncertificate_key = "server.key"\n'
_PATIENCE = 1200


def main() -> int:
    """Start a server, let both programs look at it, and return the exit status."""
    missing = [name for name in ("testssl", "nmap") if shutil.which(name) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}; on Debian: apt-get install testssl.sh nmap")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
    server = Server(folder, listener=_TLS)
    # Browsers refuse certificates of a longer life, and testssl.sh says so.
    Authority().issue("localhost", "127.0.0.1", end=NOW + 90 * DAY).write(folder, "server")
    try:
        server.start()
        found = [*testssl_findings(server.port, folder), *nmap_findings(server.port)]
        if not server.serves() or "Traceback" in server.log():
            found.append(f"the server does not stand it; the end of its log:\n{server.log()[-2000:]}")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for line in found:
        print(line)
    print("findings above LOW or below A: " + str(len(found)))
    return 1 if found else 0


def testssl_findings(port: int, folder: Path) -> list[str]:
    """Return what testssl.sh finds above LOW, and how often it found what in all."""
    report = folder / "testssl.json"
    command = [
        "testssl",
        "--quiet",
        "--color",
        "0",
        "--warnings",
        "off",
        "--jsonfile",
        str(report),
        f"127.0.0.1:{port}",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if not report.exists():
        return [f"testssl.sh has no report: {done.stdout[-500:]}{done.stderr[-500:]}"]
    findings = json.loads(report.read_text(encoding="utf-8"))
    severities = [each["severity"] for each in findings]
    print("testssl.sh: " + ", ".join(f"{each} {severities.count(each)}" for each in sorted(set(severities))))
    return [
        f"testssl.sh: {each['severity']} {each['id']}: {each['finding']}"
        for each in findings
        if each["severity"] in _SERIOUS and each["id"].split(" ")[0] not in _OF_THE_AUTHORITY
    ]


def nmap_findings(port: int) -> list[str]:
    """Return the suites that nmap grades below A."""
    command = ["nmap", "-Pn", "-p", str(port), "--script", "ssl-enum-ciphers", "127.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    print("nmap:", *re.findall(r"least strength: \w+", done.stdout))
    suites = re.findall(r"(TLS_\w+) .*- ([A-F])\n", done.stdout)
    if not suites:
        return [f"nmap sees no suites: {done.stdout[-500:]}"]
    return [f"nmap: {suite} is graded {grade}" for suite, grade in suites if grade != "A"]


if __name__ == "__main__":
    sys.exit(main())
