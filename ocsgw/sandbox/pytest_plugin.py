"""The fixture `ocsgw_sandbox` of pytest: one server for a session of tests, which begins anew for each test.

A test session may name its own configuration with `--ocsgw-config FILE`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from ocsgw.sandbox.driver import SandboxDriver


def pytest_addoption(parser: Any) -> None:
    """Add the option for a configuration."""
    parser.addoption("--ocsgw-config", metavar="FILE", default=None, help="configuration of the ocsgw sandbox")


@pytest.fixture(scope="session")
def ocsgw_sandbox_process(request: pytest.FixtureRequest) -> Iterator[SandboxDriver]:
    """One sandbox for the whole session."""
    with SandboxDriver(request.config.getoption("--ocsgw-config")) as sandbox:
        yield sandbox


@pytest.fixture
def ocsgw_sandbox(ocsgw_sandbox_process: SandboxDriver) -> SandboxDriver:
    """The sandbox, with empty lists, no faults, no record, and the real time."""
    ocsgw_sandbox_process.reset()
    return ocsgw_sandbox_process
