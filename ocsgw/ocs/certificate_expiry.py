"""Certificates that are about to expire are reported in the log while there is time to renew them."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ocsgw.config import Config, PemFile
from ocsgw.counters import CERTIFICATE_EXPIRY
from ocsgw.logs import say

if TYPE_CHECKING:
    from ocsgw.tls.dates import GoodUntil

_DAY = 86400.0
# Days ahead, nearest first. A revocation list is made for few days; the first of these is enough.
_AHEAD = (1, 7, 30)


class CertificateExpiry:
    """Reports each certificate 30, 7 and 1 days before its end, and when it has expired, once each.

    `wall_clock` gives seconds since 1970 UTC. `look` is to be called now and then, at least once a day.
    """

    _log = Logger()

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._ends: dict[tuple[str, GoodUntil], tuple[int, ...]] = {}
        # What has been reported last of each, in days; 0 when it has expired.
        self._reported: dict[tuple[str, GoodUntil], int] = {}

    def use(self, config: Config) -> None:
        """Watch the files of this configuration from now on, and report at once what is due."""
        self._ends = {(file.path, end): ahead for file, end, ahead in _ends(config)}
        self._reported = {key: days for key, days in self._reported.items() if key in self._ends}
        CERTIFICATE_EXPIRY.clear()
        for file, good_until in sorted(self._ends, key=lambda key: key[1].end, reverse=True):
            CERTIFICATE_EXPIRY.set(good_until.end, file=file)
        self.look()

    def look(self) -> None:
        """Report what is due."""
        now = self._wall_clock()
        for key, ahead in self._ends.items():
            file, (what, end) = key
            left = (end - now) / _DAY
            days = 0 if left <= 0 else next((each for each in ahead if left <= each), None)
            if days is None or self._reported.get(key, days + 1) <= days:
                continue
            self._reported[key] = days
            day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end))
            if days == 0:
                say(self._log, 93149, what=what, file=file, day=day)
            else:
                say(self._log, 93148, what=what, file=file, days=days, day=day)


def _ends(config: Config) -> "Iterator[tuple[PemFile, GoodUntil, tuple[int, ...]]]":
    certificates: list[PemFile | None] = []
    lists: list[PemFile | None] = []
    for listener in config.listeners:
        if listener.tls is not None:
            certificates += [listener.tls.certificate, listener.tls.trusted_ca]
            lists.append(listener.tls.tls_crl)
        certificates += [each.certificate for each in listener.sni_certificates]
    for outgoing in (config.pre_dial_validation, config.notifications):
        certificates += [outgoing.certificate, outgoing.trusted_ca]
    if not any((*certificates, *lists)):
        return
    # OpenSSL is loaded only where TLS is used.
    from ocsgw.tls.dates import ends_of_certificates, ends_of_revocation_lists  # noqa: PLC0415

    for files, read, ahead in (
        (certificates, ends_of_certificates, _AHEAD),
        (lists, ends_of_revocation_lists, _AHEAD[:1]),
    ):
        for file in files:
            if file is not None:
                yield from ((file, end, ahead) for end in read(file.text))
