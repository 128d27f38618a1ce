"""The configuration as the rest of the product sees it: frozen structs, one for each table of the file.

Attributes are the keys of the file. Durations are seconds, sizes are bytes, paths are absolute, names
are in Unicode normalization form C. Structs for tables compare and hash by identity, so that one may
be the key of what is made from it; the values in them compare by content.
"""

import datetime as dt
import ipaddress
import os
from typing import Literal

from ocsgw.config.part import Part, PemFile, Secret
from ocsgw.config.positions import KeyPath
from ocsgw.config.problems import Problem

ChainScope = Literal["RecordOnly", "AllChain"]


class ChainAttributes(Part, frozen=True):
    """``[application.chain_attr]``: what ``GSW_CHAIN_ATTR`` is if absent, by resource type."""

    records: ChainScope
    phones: ChainScope
    customer_ids: ChainScope


class Application(Part, frozen=True):
    """``[application]`` (section 3)."""

    name: str
    dbid: int
    reconnect_timeout: float
    encoding: str | None
    """Lower-cased as configured, known to ``codecs.lookup``; None: no conversion."""
    encoding_detect: bool
    http_custom_headers: tuple[tuple[str, str], ...]
    error_codes: bool
    customer_id: str | None
    state_dir: str
    chain_attr: ChainAttributes

    @property
    def control_socket(self) -> str:
        """Path of the control socket."""
        return control_socket_in(self.state_dir)


class Aliases(Part, frozen=True):
    """``[aliases]``: a site's own spellings of requests and resource types, by their canonical names."""

    AddRecord: tuple[str, ...]
    RecordProcessed: tuple[str, ...]
    UpdateCallCompletionStats: tuple[str, ...]
    RecordReschedule: tuple[str, ...]
    ScheduledRecordReschedule: tuple[str, ...]
    RecordReject: tuple[str, ...]
    RequestRecordCancel: tuple[str, ...]
    DoNotCall: tuple[str, ...]
    ChainedRecordRequest: tuple[str, ...]
    PreviewRecordRequest: tuple[str, ...]
    CampaignStatusRequest: tuple[str, ...]
    records: tuple[str, ...]
    phones: tuple[str, ...]
    customer_ids: tuple[str, ...]
    lists: tuple[str, ...]
    campaigngroups: tuple[str, ...]


class Tls(Part, frozen=True):
    """``[listener.tls]``, completed from ``[application.tls]`` (C36)."""

    certificate: PemFile
    certificate_key: PemFile
    trusted_ca: PemFile | None
    tls_mutual: bool | Literal["optional"]
    sec_protocol: tuple[str, ...]
    """Some of ``TLSv12`` and ``TLSv13``, ascending."""
    cipher_list: str
    tls_crl: PemFile | None
    tls_target_name_check: Literal["no", "host"]
    client_names: tuple[str, ...]
    verify_depth: int


class ServerCertificate(Part, frozen=True):
    """``[[listener.sni_certificate]]``: one more certificate, for clients that ask for its names."""

    certificate: PemFile
    certificate_key: PemFile


class Listener(Part, frozen=True):
    """``[[listener]]`` (section 4)."""

    id: str
    protocol: Literal["http", "ocs", "admin"]
    interface: str
    """An IP address in its usual short form, or ``localhost``."""
    port: int
    public_host: str
    """As in a URI: an IPv6 address is in brackets."""
    public_scheme: Literal["http", "https"]
    public_port: int | None
    """None: the port that is bound in the end."""
    backlog: int
    workers: int
    """How many HTTP proxies serve the port."""
    allow_anonymous: bool
    cors_origins: tuple[str, ...]
    """Origins of pages that may call from a browser; ``*`` is every one."""
    tls: Tls | None
    sni_certificates: tuple[ServerCertificate, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect (H340)."""
        return is_loopback(self.interface)


class Http(Part, frozen=True):
    """``[http]``: what every HTTP listener does."""

    strict: bool


class ApiKey(Part, frozen=True):
    """``[[api_key]]`` (section 5). None stands for all."""

    name: str
    key_file: Secret
    """The SHA-256 of the key, ``sha256:`` and 64 hexadecimal digits."""
    expires: int | None
    """Seconds since 1970 UTC; None: never."""
    listeners: tuple[str, ...] | None
    actions: tuple[str, ...] | None
    """Canonical names of requests."""
    tenants: tuple[str, ...] | None
    calling_lists: tuple[str, ...] | None
    campaign_groups: tuple[str, ...] | None


class ClientCertificate(Part, frozen=True):
    """``[[client_certificate]]``: a certificate that is admitted, and whose it is. None stands for all."""

    name: str
    subject: str
    """As in the certificate, in the form of RFC 4514."""
    listeners: tuple[str, ...] | None
    actions: tuple[str, ...] | None
    """Canonical names of requests."""
    tenants: tuple[str, ...] | None
    calling_lists: tuple[str, ...] | None
    campaign_groups: tuple[str, ...] | None


class Store(Part, frozen=True):
    """``[store]`` (section 6)."""

    url: str
    kind: Literal["sqlite", "postgresql"]
    file: str | None
    """Absolute path of the SQLite file; None with PostgreSQL."""
    password_file: Secret | None
    journal_retention: float
    create: bool
    create_indexes: bool
    connect_timeout: float
    prepared_statements: bool
    writers: int
    """How many connections to a PostgreSQL server there are for batches of added records."""
    batches: Literal["mixed", "by_list"]  # of what has come meanwhile, or of one list
    wait: float
    busy_timeout: float


class HighAvailability(Part, frozen=True):
    """``[ha]`` (section 6)."""

    enabled: bool
    mode: Literal["pair", "active"]
    """Whether one server serves, or all do."""
    name: str
    lease_time: float
    renew_interval: float


class Tenant(Part, frozen=True):
    """``[[tenant]]`` (section 7)."""

    dbid: int
    name: str
    ccid: str | None
    customer_name: str | None
    country: str | None
    """Two capital letters."""
    default_time_zone: str


class TimeZone(Part, frozen=True):
    """``[[time_zone]]``, or one of the built in ones (K51)."""

    dbid: int
    name: str
    zone: str
    """An IANA name that zoneinfo knows."""


class Field(Part, frozen=True):
    """``[[calling_list.field]]``: a custom column (section 8, K30 to K33)."""

    name: str
    type: Literal["int", "float", "char", "varchar", "datetime"]
    length: int | None
    """Characters of a ``char`` or ``varchar``; None for the other types."""
    default: int | float | str | None
    """Fits the type; a ``datetime`` is text ``YYYY-MM-DD HH:MM:SS``."""
    send_attribute: str | None


class ShownColumn(Part, frozen=True):
    """``[[calling_list.field]]`` with the name of a classic column: the key under which events show it (K64)."""

    name: str
    """In lower case."""
    send_attribute: str


class CallingList(Part, frozen=True):
    """``[[calling_list]]`` (section 8). The options of pre-dial validation are None if not set here (O20)."""

    dbid: int
    name: str
    table: str
    tenant: str
    enabled: bool
    personal_callback_limit: float | None
    """None: that of ``[treatments]``."""
    fields: tuple[Field, ...]
    shown_columns: tuple[ShownColumn, ...]
    pre_dial_validation: bool | None
    validation_uri: str | None
    validation_timeout_call_result: int | None


class Priority(Part, frozen=True):
    """``[priority]`` (section 8, H359): a higher number comes first."""

    general: int
    campaign_rescheduled: int
    campaign_callback: int


class PriorityOfObject(Part, frozen=True):
    """``priority`` of a campaign or group. None: as in the next wider place."""

    general: int | None
    campaign_rescheduled: int | None
    campaign_callback: int | None


class Campaign(Part, frozen=True):
    """``[[campaign]]`` (section 8). The options of pre-dial validation are None if not set here (O20)."""

    dbid: int
    name: str
    description: str
    template: str
    tenant: str
    calling_lists: tuple[str, ...]
    priority: PriorityOfObject
    pre_dial_validation: bool | None
    validation_uri: str | None
    validation_timeout_call_result: int | None


class CampaignGroup(Part, frozen=True):
    """``[[campaign_group]]`` (section 8). The options of pre-dial validation are None if not set here (O20)."""

    dbid: int
    campaign: str
    group: str
    name: str
    dial_mode: Literal["Preview", "PushPreview"]
    state: Literal["unloaded", "loaded", "started"]
    record_timeout: float
    campaigngroup_auto_complete: bool
    priority: PriorityOfObject
    pre_dial_validation: bool | None
    validation_uri: str | None
    validation_timeout_call_result: int | None


class Desktop(Part, frozen=True):
    """``[desktop]`` (section 8)."""

    agent_preview_mode_start: bool
    agent_logout_preview_call_result: int | None
    """None: a log-out ends no hand-out (-1 in the file)."""


class DoNotCall(Part, frozen=True):
    """``[do_not_call]`` (section 8)."""

    table: str
    scope: Literal["tenant", "campaign", "list"]
    reread: float


class PreDialValidation(Part, frozen=True):
    """``[pre_dial_validation]`` (section 9)."""

    pre_dial_validation: bool
    validation_uri: str | None
    validation_timeout_call_result: int
    http_response_timeout: float
    http_connection_pool_size: int
    max_tries: int
    failure_retry: float
    store_answer_fields: bool
    trusted_ca: PemFile | None
    certificate: PemFile | None
    certificate_key: PemFile | None
    tls_minimum: Literal["TLSv12", "TLSv13"]
    headers_file: tuple[tuple[str, Secret], ...]
    """Names and values of further headers; empty without a file."""


class Notifications(Part, frozen=True):
    """``[notifications]`` (section 10)."""

    send_campaigngroup_states: bool
    campaigngroup_states_uri: str | None
    campaigngroup_states_interval: float
    campaigngroup_states_per_list: bool
    send_history: bool
    history_uri: str | None
    history_wait_condition_threshold: int
    history_wait_recovery_timeout: float
    history_retention: float
    validation_race_condition_call_result: int
    contact_processed_notification: bool
    contact_processed_notification_uri: str | None
    http_response_timeout: float
    http_connection_pool_size: int
    http_retry_max_attempts: int
    """0: no limit."""
    http_retry_applies_to: tuple[Literal["history", "contact_processed"], ...]
    http_proxy: str | None
    signing_key_file: Secret | None
    """A key of Standard Webhooks; None: nothing is signed."""
    trusted_ca: PemFile | None
    certificate: PemFile | None
    certificate_key: PemFile | None
    tls_minimum: Literal["TLSv12", "TLSv13"]
    headers_file: tuple[tuple[str, Secret], ...]
    """Names and values of further headers; empty without a file."""


class TreatmentOptions(Part, frozen=True):
    """``[treatments]`` (section 11)."""

    on_processed: bool
    apply_late_results: bool
    personal_callback_limit: float
    """0: off."""


class Treatment(Part, frozen=True):
    """``[[treatment]]`` (section 11)."""

    dbid: int
    name: str
    call_result: int
    calling_lists: tuple[str, ...] | None
    """None: all."""
    sequence: int
    action: Literal["finish", "next_in_chain", "retry_in", "retry_at", "assign_to_group", "agent_error", "no_call"]
    interval: float | None
    """Always set for ``retry_in``."""
    increment: float
    at: dt.datetime | None
    """What a clock in the record's zone shows; always set for ``retry_at``."""
    cycle_attempt: int
    """0: no limit, as for the following."""
    max_attempts: int


class Limits(Part, frozen=True):
    """``[limits]`` (section 12)."""

    body: int
    request_line: int
    header_block: int
    headers: int
    json_depth: int
    json_members: int
    header_timeout: float
    body_timeout: float
    idle_timeout: float
    write_timeout: float
    request_timeout: float
    connections: int
    in_flight: int
    pipeline: int
    event_streams: int
    drain: int
    buffered: int
    drain_timeout: float
    idempotency_ttl: float
    idempotency_by_address: bool
    duplicate_window: float
    do_not_call_grace: float
    frame: int
    frame_timeout: float
    send_buffer: int
    start_timeout: float
    stop_timeout: float
    heartbeat: float
    address_rate: int
    """Requests per second; 0: no limit, as for the following."""
    address_burst: int
    address_connections: int
    principal_rate: int
    principal_burst: int
    principal_connections: int
    remembered_addresses: int


class Audit(Part, frozen=True):
    """``[audit]``: the log of who changed what."""

    enabled: bool
    file: str
    """Absolute; by default ``audit.jsonl`` in the state directory."""


class Log(Part, frozen=True):
    """``[log]`` (section 13)."""

    target: str
    """``stdout``, or the absolute path of a file."""
    level: Literal["debug", "trace", "info", "warning", "error"]
    format: Literal["text", "json", "classic"]
    contacts: Literal["masked", "clear"]
    http_trace: bool
    access: str | None
    access_format: Literal["combined", "json"]


class Config(Part, frozen=True):
    """A whole configuration, checked. Arrays of tables are in the order of the file."""

    path: str
    """Absolute path of the file."""
    directory: str
    """Directory of the file, to which relative paths in it refer (C7)."""
    application: Application
    aliases: Aliases
    listeners: tuple[Listener, ...]
    http: Http
    api_keys: tuple[ApiKey, ...]
    client_certificates: tuple[ClientCertificate, ...]
    store: Store
    ha: HighAvailability
    tenants: tuple[Tenant, ...]
    """At least one; if the file has none, the one with DBID 1 and name ``Environment``."""
    time_zones: tuple[TimeZone, ...]
    """The built in ones (K51), each perhaps replaced by the one of its name, then the others of the file."""
    calling_lists: tuple[CallingList, ...]
    campaigns: tuple[Campaign, ...]
    campaign_groups: tuple[CampaignGroup, ...]
    desktop: Desktop
    do_not_call: DoNotCall
    priority: Priority
    pre_dial_validation: PreDialValidation
    notifications: Notifications
    treatment_options: TreatmentOptions
    treatments: tuple[Treatment, ...]
    limits: Limits
    audit: Audit
    log: Log
    files: tuple[tuple[KeyPath, str], ...]
    """The files that were read besides this one, each with the path of the key that names it."""
    warnings: tuple[Problem, ...]


def control_socket_in(state_dir: str) -> str:
    """Give the path of the control socket in a state directory."""
    return os.path.join(state_dir, "control.sock")


def is_loopback(interface: str) -> bool:
    """Return whether an interface, an IP address or ``localhost``, is reached from this machine only."""
    if interface == "localhost":
        return True
    address = ipaddress.ip_address(interface)
    # Python's releases disagree on whether ::ffff:127.0.0.1 is loopback.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
