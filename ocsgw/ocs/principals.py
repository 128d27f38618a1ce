"""Keys and certificates of the configuration as a proxy gets them (protocol.md section 7)."""

import secrets
from collections.abc import Callable
from typing import Any

from ocsgw.access.keys import digest_bytes, salted
from ocsgw.config import ApiKey, ClientCertificate, Config, Listener
from ocsgw.protocol.messages import ClientCertificateSettings, KeySettings

_SALT = 16


def keys_of(
    config: Config, listener: Listener, random_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> list[KeySettings]:
    """Return the API keys of a listener as its proxy gets them."""
    return [_key(each, random_bytes) for each in config.api_keys if counts_on(each, listener)]


def certificates_of(config: Config, listener: Listener) -> list[ClientCertificateSettings] | None:
    """Return the client certificates of a listener; None if every one that its authority vouches for is admitted."""
    if listener.tls is None or listener.tls.tls_mutual is False or not config.client_certificates:
        return None
    return [
        ClientCertificateSettings(subject=subject, name=each.name, actions=_list(each.actions))
        for each in config.client_certificates
        if counts_on(each, listener)
        for subject in _subjects(each.subject)
    ]


def is_open(config: Config, listener: Listener) -> bool:
    """Whether a listener serves clients with neither a key nor a certificate."""
    is_mutual = listener.tls is not None and listener.tls.tls_mutual is True
    return not is_mutual and not any(counts_on(each, listener) for each in config.api_keys)


def open_listeners(config: Config) -> tuple[list[str], list[str]]:
    """Return the listeners that serve everybody where neither a key nor a certificate is configured at all.

    The first are those that other machines reach, the second those of this machine alone.
    """
    if config.api_keys or config.client_certificates:
        return [], []
    found = [each for each in config.listeners if is_open(config, each)]
    near = [each.id for each in found if each.is_loopback]
    return [each.id for each in found if each.id not in near], near


def shown_principals(config: Config) -> list[dict[str, Any]]:
    """Return every key and certificate as it may be shown, by the names of their principals."""
    keys = [_shown(each, "API key", each.expires) for each in config.api_keys]
    certificates = [_shown(each, f"certificate {each.subject}", None) for each in config.client_certificates]
    return sorted([*keys, *certificates], key=lambda each: str(each["name"]))


def _shown(entry: ApiKey | ClientCertificate, by: str, expires: int | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "by": by,
        "expires": expires,
        "listeners": entry.listeners,
        "actions": entry.actions,
        "tenants": entry.tenants,
        "calling_lists": entry.calling_lists,
        "campaign_groups": entry.campaign_groups,
    }


def counts_on(entry: ApiKey | ClientCertificate, listener: Listener) -> bool:
    """Whether a key or certificate counts on a listener."""
    return entry.listeners is None or listener.id in entry.listeners


def _subjects(subject: str) -> tuple[str, ...]:
    """Return the names that a certificate may have: of one without a subject it is another name, as it stands."""
    _, _, common_name = subject.partition("CN=")
    is_alone = subject == f"CN={common_name}" and not set(common_name) & set(",+=\\")
    return (subject, common_name) if is_alone else (subject,)


def _key(key: ApiKey, random_bytes: Callable[[int], bytes]) -> KeySettings:
    """Return an API key as a proxy gets it: a salted hash, never the key (H347)."""
    salt = random_bytes(_SALT)
    return KeySettings(
        name=key.name,
        salt=salt.hex(),
        hash=salted(salt, digest_bytes(key.key_file.value)).hex(),
        actions=_list(key.actions),
        tenants=_list(key.tenants),
        expires=key.expires,
    )


def _list(names: tuple[str, ...] | None) -> list[str] | None:
    return list(names) if names is not None else None
