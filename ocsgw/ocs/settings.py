"""From the configuration to what the parts of OCS and its children work with."""

import math
from typing import Any, Final

from ocsgw.config import Aliases, Config, Listener, Notifications, PreDialValidation, Secret, ServerCertificate, Tls
from ocsgw.ocs.dispatch import DispatchOptions
from ocsgw.ocs.link import Identity
from ocsgw.ocs.principals import certificates_of, keys_of
from ocsgw.ocs.supervisor import Times
from ocsgw.protocol.client_settings import ClientSettings, ClientTlsSettings
from ocsgw.protocol.message_parts import AccessLogSettings
from ocsgw.protocol.messages import (
    AliasSettings,
    CertificateSettings,
    HttpLimits,
    ListenerSettings,
    Settings,
    TlsSettings,
    WireLimits,
)
from ocsgw.protocol.requests import IDENTIFIER_KEYS, REQUESTS

# A child takes two heartbeats, and a part of one, to notice that OCS stands still.
_NOTICED_WITHIN = 3


def identity_of(config: Config) -> Identity:
    """Return what OCS sends in `welcome`."""
    limits = config.limits
    return Identity(
        application=config.application.name,
        application_id=config.application.dbid,
        limits=WireLimits(
            frame=limits.frame, in_flight=limits.in_flight, heartbeat_ms=milliseconds(heartbeat_of(config))
        ),
        send_buffer=limits.send_buffer,
        frame_timeout=limits.frame_timeout,
    )


def heartbeat_of(config: Config) -> float:
    """Return the heartbeat of links in seconds.

    In a pair the child of a primary that stands still has to notice that, and close its port, before the other server
    may open one (P88).
    """
    heartbeat, ha = config.limits.heartbeat, config.ha
    return min(heartbeat, (ha.lease_time - ha.renew_interval) / _NOTICED_WITHIN) if ha.enabled else heartbeat


def times_of(config: Config) -> Times:
    """Return the times of a proxy."""
    limits = config.limits
    return Times(
        reconnect=config.application.reconnect_timeout,
        start=limits.start_timeout,
        drain=limits.drain_timeout,
        stop=limits.stop_timeout,
    )


def dispatch_options_of(config: Config) -> DispatchOptions:
    """Return what the dispatcher needs of `[limits]`, in whole seconds: a part of a second does not mean "off"."""
    limits = config.limits
    return DispatchOptions(
        math.ceil(limits.idempotency_ttl), math.ceil(limits.duplicate_window), by_address=limits.idempotency_by_address
    )


def settings_of(
    config: Config, listener: Listener, in_use: Listener, descriptor: int | None = None, *, shared: bool = False
) -> Settings:
    """Return the settings of a proxy (protocol.md section 7).

    `in_use` is the listener as it was when the proxy was started: id, interface and port of a running proxy never
    change (P100); everything else is that of `listener`. `descriptor` is where the process finds a listening socket
    that it has inherited; `shared` lets another proxy have the port too, even if this is the only one.
    """
    limits = config.limits
    return Settings(
        listener=None
        if in_use is OUTGOING_ONLY
        else ListenerSettings(
            id=in_use.id,
            interface=in_use.interface,
            port=in_use.port,
            public_host=listener.public_host,
            backlog=listener.backlog,
            allow_anonymous=listener.allow_anonymous,
            cors_origins=list(listener.cors_origins),
            shared=shared or listener.workers > 1,
            descriptor=descriptor,
            tls=_tls(listener.tls, listener.sni_certificates) if listener.tls is not None else None,
        ),
        encoding=config.application.encoding,
        encoding_detect=config.application.encoding_detect,
        http_custom_headers=list(config.application.http_custom_headers),
        keys=keys_of(config, listener),
        client_certificates=certificates_of(config, listener),
        limits=HttpLimits(
            body=limits.body,
            request_line=limits.request_line,
            header_block=limits.header_block,
            headers=limits.headers,
            json_depth=limits.json_depth,
            json_members=limits.json_members,
            header_timeout_ms=milliseconds(limits.header_timeout),
            body_timeout_ms=milliseconds(limits.body_timeout),
            idle_timeout_ms=milliseconds(limits.idle_timeout),
            write_timeout_ms=milliseconds(limits.write_timeout),
            request_timeout_ms=milliseconds(limits.request_timeout),
            connections=limits.connections,
            in_flight=limits.in_flight,
            pipeline=limits.pipeline,
            event_streams=limits.event_streams,
            drain=limits.drain,
            buffered=limits.buffered,
            drain_timeout_ms=milliseconds(limits.drain_timeout),
            address_rate=limits.address_rate,
            address_burst=limits.address_burst,
            address_connections=limits.address_connections,
            principal_rate=limits.principal_rate,
            principal_burst=limits.principal_burst,
            principal_connections=limits.principal_connections,
            remembered_addresses=limits.remembered_addresses,
        ),
        client=_client(config.pre_dial_validation),
        notifications=_client(
            config.notifications, config.notifications.http_proxy, config.notifications.signing_key_file
        ),
        error_codes=config.application.error_codes,
        strict=config.http.strict,
        access_log=_access_log(config),
        log_level=config.log.level,
        aliases=_aliases(config.aliases),
        retry_after=max(1, math.ceil(config.application.reconnect_timeout)),
    )


def _access_log(config: Config) -> AccessLogSettings | None:
    log = config.log
    if log.access is None:
        return None
    return AccessLogSettings(form=log.access_format, clear=log.contacts == "clear")


def _tls(tls: Tls, further: tuple[ServerCertificate, ...]) -> TlsSettings:
    return TlsSettings(
        certificate=tls.certificate.text,
        certificate_key=tls.certificate_key.text,
        certificates=[
            CertificateSettings(certificate=each.certificate.text, certificate_key=each.certificate_key.text)
            for each in further
        ],
        trusted_ca=tls.trusted_ca.text if tls.trusted_ca is not None else None,
        tls_crl=tls.tls_crl.text if tls.tls_crl is not None else None,
        tls_mutual=tls.tls_mutual,
        sec_protocol=list(tls.sec_protocol),
        cipher_list=tls.cipher_list,
        tls_target_name_check=tls.tls_target_name_check,
        client_names=list(tls.client_names),
        verify_depth=tls.verify_depth,
    )


# A proxy without a port, for outgoing calls alone.
OUTGOING_ONLY: Final = Listener(
    id="outgoing calls",
    protocol="http",
    interface="127.0.0.1",
    port=0,
    public_host="127.0.0.1",
    public_scheme="http",
    public_port=None,
    backlog=1,
    workers=1,
    allow_anonymous=False,
    cors_origins=(),
    tls=None,
    sni_certificates=(),
)


def served_listeners(config: Config) -> list[Listener]:
    """Return the listeners that have HTTP Proxies; without any there is one proxy if calls go out (P112)."""
    listeners = [each for each in config.listeners if each.protocol == "http"]
    return listeners or ([OUTGOING_ONLY] if _calls(config) else [])


def _calls(config: Config) -> bool:
    validating: tuple[Any, ...] = (
        config.pre_dial_validation,
        *config.campaigns,
        *config.campaign_groups,
        *config.calling_lists,
    )
    notifications = config.notifications
    return any(each.pre_dial_validation for each in validating) or (
        notifications.send_campaigngroup_states
        or notifications.send_history
        or notifications.contact_processed_notification
    )


def _client(
    section: PreDialValidation | Notifications, http_proxy: str | None = None, signing_key: Secret | None = None
) -> ClientSettings:
    """Return what outgoing calls of one section need."""
    pem = {name: getattr(section, name) for name in ("trusted_ca", "certificate", "certificate_key")}
    return ClientSettings(
        response_timeout_ms=milliseconds(section.http_response_timeout),
        pool_size=section.http_connection_pool_size,
        tls=ClientTlsSettings(
            **{name: each.text if each is not None else None for name, each in pem.items()},
            minimum=section.tls_minimum,
        ),
        http_proxy=http_proxy,
        signing_key=signing_key.value if signing_key is not None else None,
        headers=[(name, value.value) for name, value in section.headers_file],
    )


def _aliases(aliases: Aliases) -> AliasSettings:
    """Return the site's own spellings, each with its canonical name."""
    names = {spelling: name for name in aliases.__struct_fields__ for spelling in getattr(aliases, name)}
    return AliasSettings(
        requests={spelling: name for spelling, name in names.items() if name in REQUESTS},
        resources={spelling: name for spelling, name in names.items() if name in IDENTIFIER_KEYS},
    )


def milliseconds(seconds: float) -> int:
    """Return seconds as whole milliseconds, at least 1."""
    return max(1, round(seconds * 1000))
