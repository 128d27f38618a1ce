"""From the configuration to the settings of a proxy: every value where it belongs, in its unit."""

import msgspec

from ocsgw.config import Config
from ocsgw.ocs.settings import dispatch_options_of, identity_of, milliseconds, settings_of, times_of
from ocsgw.protocol.messages import Settings
from tests.config.support import ConfigTestCase

TEXT = """
[application]
name = "OCS"
dbid = 134
state_dir = "/run/ocsgw"
reconnect_timeout = 2.5
encoding = "windows-1252"
encoding_detect = false
http_custom_headers = ["X-A: b"]
error_codes = true
[[listener]]
id = "default"
protocol = "http"
interface = "127.0.0.1"
port = 8080
public_host = "ocs.example"
backlog = 77
[log]
level = "trace"
[limits]
body = "2KiB"
request_line = "3KiB"
header_block = "5KiB"
headers = 6
json_depth = 7
json_members = 8
header_timeout = "900ms"
body_timeout = "10s"
idle_timeout = "11s"
write_timeout = "12s"
request_timeout = "13s"
connections = 14
in_flight = 15
pipeline = 16
drain = "17KiB"
buffered = "3MiB"
drain_timeout = "18s"
stop_timeout = "30s"
start_timeout = "21s"
heartbeat = "4s"
idempotency_ttl = "22m"
duplicate_window = "23s"
frame = "24KiB"
frame_timeout = "25s"
send_buffer = "26KiB"
"""


class SettingsTests(ConfigTestCase):
    """P100 and protocol.md section 7."""

    def load(self, text: str = TEXT) -> Config:
        self.config = self.parse_text(text)
        return self.config

    def settings(self, text: str = TEXT) -> Settings:
        (listener,) = self.load(text).listeners
        return settings_of(self.config, listener, listener)

    def test_limits(self) -> None:
        """Section 12: each limit of HTTP travels, bytes as bytes and times in milliseconds."""
        expected = {
            "body": 2048,
            "request_line": 3072,
            "header_block": 5120,
            "headers": 6,
            "json_depth": 7,
            "json_members": 8,
            "header_timeout_ms": 900,
            "body_timeout_ms": 10_000,
            "idle_timeout_ms": 11_000,
            "write_timeout_ms": 12_000,
            "request_timeout_ms": 13_000,
            "connections": 14,
            "in_flight": 15,
            "pipeline": 16,
            "drain": 17 * 1024,
            "buffered": 3 << 20,
            "drain_timeout_ms": 18_000,
        }
        limits = msgspec.structs.asdict(self.settings().limits)
        self.assertEqual({name: limits[name] for name in expected}, expected)

    def test_application(self) -> None:
        """R17: encoding, headers and error codes are sent; the log level too, and how long a client had better wait."""
        settings = self.settings()
        self.assertEqual(
            (settings.encoding, settings.encoding_detect, settings.http_custom_headers, settings.error_codes),
            ("windows-1252", False, [("X-A", "b")], True),
        )
        self.assertEqual((settings.log_level, settings.retry_after), ("trace", 3))

    def test_no_encoding(self) -> None:
        """R22: without a value none is sent."""
        self.assertIsNone(self.settings(TEXT.replace('encoding = "windows-1252"\n', "")).encoding)

    def test_listener(self) -> None:
        """C61: id, interface and port are those in use; public host and the rest those that are configured now."""
        (in_use,) = self.load().listeners
        changed = TEXT.replace('"default"', '"new"').replace("8080", "8081").replace("ocs.example", "new.example")
        (wanted,) = self.load(changed).listeners
        listener = settings_of(self.config, wanted, in_use).listener
        assert listener is not None
        self.assertEqual((listener.id, listener.interface, listener.port), ("default", "127.0.0.1", 8080))
        self.assertEqual((listener.public_host, listener.backlog, listener.tls), ("new.example", 77, None))

    def test_times(self) -> None:
        """R26, C74, P84: the times of the supervisor, in seconds."""
        times = times_of(self.load())
        self.assertEqual((times.reconnect, times.start, times.drain, times.stop), (2.5, 21.0, 18.0, 30.0))

    def test_identity(self) -> None:
        """P82, P88, P93: what `welcome` says, and the limits of the link."""
        identity = identity_of(self.load())
        self.assertEqual((identity.application, identity.application_id), ("OCS", 134))
        self.assertEqual((identity.limits.in_flight, identity.limits.heartbeat_ms), (15, 4000))
        self.assertEqual((identity.limits.frame, identity.frame_timeout), (24 * 1024, 25.0))
        self.assertEqual(identity.send_buffer, 26 * 1024)

    def test_dispatch(self) -> None:
        """H329, H331: how long keys are kept, in whole seconds."""
        options = dispatch_options_of(self.load())
        self.assertEqual((options.idempotency_ttl, options.duplicate_window), (1320, 23))

    def test_milliseconds(self) -> None:
        """A time that is configured is never rounded to none."""
        self.assertEqual([milliseconds(seconds) for seconds in (0.0001, 0.0015, 1, 30.0)], [1, 2, 1000, 30_000])
