"""Checks of a configuration that need more than its grammar: certificates, and what this version serves."""

from collections.abc import Callable

from ocsgw.config import Config, Listener
from ocsgw.tls import ServerContext, TlsError, check_pair, utc_now

KeyPath = tuple[str | int, ...]
Report = Callable[[KeyPath, str, str], None]


def check_certificates(config: Config, report: Report) -> None:
    """Report certificates that have expired, do not fit their key, or cannot be used (C38)."""
    for at, listener in enumerate(config.listeners):
        try:
            _try_tls(listener)
        except TlsError as error:
            path = getattr(getattr(listener.tls, error.part, None), "path", "")
            report(
                ("listener", at, "tls", error.part),
                f"{path} {error}",
                _HINTS.get(error.part, "give a PEM file that is valid now"),
            )


_HINTS = {"cipher_list": "give cipher names as OpenSSL spells them"}


def _try_tls(listener: Listener) -> None:
    tls = listener.tls
    if tls is None:
        return
    check_pair(tls.certificate.text, tls.certificate_key.text, utc_now())
    ServerContext(
        certificate=tls.certificate.text,
        certificate_key=tls.certificate_key.text,
        trusted_ca=tls.trusted_ca.text if tls.trusted_ca is not None else None,
        tls_crl=tls.tls_crl.text if tls.tls_crl is not None else None,
        mutual=tls.tls_mutual,
        versions=list(tls.sec_protocol),
        ciphers=tls.cipher_list,
    )


def check_supported(config: Config, report: Report) -> None:
    """Report what it would be dangerous to pass over in silence: it would promise what does not happen."""
    if config.store.kind != "sqlite":
        report(("store", "url"), "this version serves SQLite only", 'use "sqlite:///FILE"')
    if config.ha.enabled:
        report(("ha", "enabled"), "this version has no primary and backup", "set it to false")


def not_served(config: Config) -> list[str]:
    """Return a line for each part that is configured and not served, to be logged at each start."""
    lines = [
        f"Listener {each.id} has the protocol {each.protocol}, which this version does not serve; its port stays closed"
        for each in config.listeners
        if each.protocol != "http"
    ]
    notifications = config.notifications
    if (
        notifications.send_campaigngroup_states
        or notifications.send_history
        or notifications.contact_processed_notification
    ):
        lines.append("[notifications] are configured, which this version does not send")
    return lines


CHECKS = (check_supported, check_certificates)
