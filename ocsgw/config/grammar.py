"""The grammar of the configuration file: every table and key, its reader and its default.

Defaults are as they would stand in the file. ``None``: the key has no value unless given. A key that is
added here is added to its struct in ``model`` and to the manual page as well; tests notice if it is not.
"""

from typing import Final

from ocsgw.config import model
from ocsgw.config.constants import TREATMENT_ACTIONS
from ocsgw.config.files import (
    api_key,
    headers,
    log_target,
    path,
    pem,
    private_pem,
    secret,
    signing_key,
    state_directory,
    store_url,
)
from ocsgw.config.network import custom_headers, host, http_proxy, interface, mutual_tls, origin, tls_versions, uri
from ocsgw.config.schema import Key, Keys, Table
from ocsgw.config.terms import (
    call_result,
    call_result_or_none,
    column,
    country,
    encoding,
    moment,
    requests,
    send_attribute,
    spellings,
    table_name,
    wall_time,
    zone,
)
from ocsgw.config.values import (
    LARGEST_INTEGER,
    all_or,
    anything,
    array,
    boolean,
    duration,
    integer,
    name,
    one_of,
    size,
    text,
)
from ocsgw.protocol.enumerations import CallResult
from ocsgw.protocol.requests import IDENTIFIER_KEYS, REQUESTS

_DBID: Final = Key(integer(1, LARGEST_INTEGER))
_NAME: Final = Key(name())
_NAME_WITHOUT_SLASH: Final = Key(name(without="/"))
_OBJECT_NAMES: Final = array(name())
_SOME_NAMES: Final = Key(array(name(), at_least=1), None)
_SOME_NAMES_OR_ALL: Final = Key(all_or(array(name(), at_least=1)), None)
_GENERAL_ERROR: Final = CallResult.GENERAL_ERROR.value
_CHAIN_SCOPE: Final = one_of("RecordOnly", "AllChain")
_LARGEST_FRAME: Final = "4294967295B"  # P60: four bytes of length

_TLS: Final[Keys] = {
    "certificate": Key(pem),
    "certificate_key": Key(private_pem),
    "trusted_ca": Key(pem, None),
    "tls_mutual": Key(mutual_tls, default=False),
    "sec_protocol": Key(tls_versions, ["TLSv12", "TLSv13"]),
    "cipher_list": Key(text(at_least=1), "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20"),
    "tls_crl": Key(pem, None),
    "tls_target_name_check": Key(one_of("no", "host"), "no"),
    "client_names": Key(array(text(at_least=1)), []),
    "verify_depth": Key(integer(0, 100), 3),
}

_PRE_DIAL_OF_OBJECT: Final[Keys] = {
    "pre_dial_validation": Key(boolean, None),
    "validation_uri": Key(uri, None),
    "validation_timeout_call_result": Key(call_result, None),
}

_OUTGOING: Final[Keys] = {
    "http_response_timeout": Key(duration("1ms", "1h"), "10s"),
    "http_connection_pool_size": Key(integer(1, 1000), 5),
    "trusted_ca": Key(pem, None),
    "certificate": Key(pem, None),
    "certificate_key": Key(private_pem, None),
    "tls_minimum": Key(one_of("TLSv12", "TLSv13"), "TLSv12"),
    "headers_file": Key(headers, None),
}

_APPLICATION: Final[Keys] = {
    "name": Key(name(), "OCS"),
    "dbid": _DBID,
    "reconnect_timeout": Key(duration("100ms", "1d"), 10),
    "encoding": Key(encoding, None),
    "encoding_detect": Key(boolean, default=True),
    "http_custom_headers": Key(custom_headers, default=False),
    "error_codes": Key(boolean, default=False),
    "customer_id": Key(column, None),
    "state_dir": Key(state_directory, None),
    "chain_attr": Table(
        {
            "records": Key(_CHAIN_SCOPE, "AllChain"),
            "phones": Key(_CHAIN_SCOPE, "RecordOnly"),
            "customer_ids": Key(_CHAIN_SCOPE, "AllChain"),
        },
        makes=model.ChainAttributes,
    ),
    "tls": Table(_TLS, makes=model.Tls, inherits=True),
}

_LISTENER: Final[Keys] = {
    "id": _NAME,
    "protocol": Key(one_of("http", "ocs", "admin")),
    "interface": Key(interface, "127.0.0.1"),
    "port": Key(integer(0, 65535)),
    "public_host": Key(host, None),
    "public_scheme": Key(one_of("http", "https"), None),
    "public_port": Key(integer(1, 65535), None),
    "backlog": Key(integer(1, 65535), 1024),
    "workers": Key(integer(1, 64), 1),
    "allow_anonymous": Key(boolean, default=False),
    "cors_origins": Key(array(origin), []),
    "tls": Table(_TLS, makes=model.Tls, inherits=True),
    "sni_certificate": Table(
        {"certificate": Key(pem), "certificate_key": Key(private_pem)}, makes=model.ServerCertificate, array=True
    ),
}

_PERMISSIONS: Final[Keys] = {
    "listeners": _SOME_NAMES,
    "actions": Key(all_or(requests), None),
    "tenants": _SOME_NAMES_OR_ALL,
    "calling_lists": _SOME_NAMES_OR_ALL,
    "campaign_groups": _SOME_NAMES_OR_ALL,
}

_ALIASES: Final[Keys] = {
    name: Key(spellings, []) for name in (*(row.name for row in REQUESTS.values() if row.resources), *IDENTIFIER_KEYS)
}

_API_KEY: Final[Keys] = {
    "name": _NAME,
    "key_file": Key(api_key),
    "expires": Key(moment, None),
    **_PERMISSIONS,
}

_CLIENT_CERTIFICATE: Final[Keys] = {"name": _NAME, "subject": Key(text(at_least=1), None), **_PERMISSIONS}

_STORE: Final[Keys] = {
    "url": Key(store_url, "sqlite:///var/ocsgw.sqlite"),
    "password_file": Key(secret, None),
    "journal_retention": Key(duration("0s", "3650d"), "30d"),
    "create": Key(boolean, default=True),
    "create_indexes": Key(boolean, default=True),
    "connect_timeout": Key(duration("1ms", "1h"), "10s"),
    "prepared_statements": Key(boolean, default=False),
    "writers": Key(integer(0, 16), 2),
    "batches": Key(one_of("mixed", "by_list"), "mixed"),
    "wait": Key(duration("0s", "7d"), "60s"),
    "busy_timeout": Key(duration("0s", "1h"), "2s"),
}

_HA: Final[Keys] = {
    "enabled": Key(boolean, default=False),
    "mode": Key(one_of("pair", "active"), "pair"),
    "name": Key(name(), None),
    "lease_time": Key(duration("1ms", "1h"), "5s"),
    "renew_interval": Key(duration("1ms", "1h"), "1s"),
}

TENANT: Final = Table(
    {
        "dbid": _DBID,
        "name": _NAME_WITHOUT_SLASH,
        "ccid": Key(text(), None),
        "customer_name": Key(name(), None),
        "country": Key(country, None),
        "default_time_zone": Key(name(), "GMT"),
    },
    makes=model.Tenant,
    array=True,
)

_TIME_ZONE: Final[Keys] = {"dbid": _DBID, "name": _NAME_WITHOUT_SLASH, "zone": Key(zone)}

_CALLING_LIST: Final[Keys] = {
    "dbid": _DBID,
    "name": _NAME,
    "table": Key(table_name),
    "tenant": Key(name(), None),
    "enabled": Key(boolean, default=True),
    "personal_callback_limit": Key(duration("0s", "3650d"), None),
    "field": Table(
        {
            "name": Key(column),
            "type": Key(one_of("int", "float", "char", "varchar", "datetime"), None),
            "length": Key(integer(1, 4000), None),
            "default": Key(anything, None),
            "send_attribute": Key(send_attribute, None),
        },
        makes=model.Field,
        array=True,
    ),
    **_PRE_DIAL_OF_OBJECT,
}

_CLASS: Final = integer(0, 1000)
_PRIORITY_KEYS: Final = ("general", "campaign_rescheduled", "campaign_callback")
_PRIORITY_OF_OBJECT: Final = Table({key: Key(_CLASS, None) for key in _PRIORITY_KEYS}, makes=model.PriorityOfObject)

_CAMPAIGN: Final[Keys] = {
    "dbid": _DBID,
    "name": _NAME,
    "description": Key(text(), ""),
    "template": Key(text(), ""),
    "tenant": Key(name(), None),
    "calling_lists": Key(_OBJECT_NAMES),
    "priority": _PRIORITY_OF_OBJECT,
    **_PRE_DIAL_OF_OBJECT,
}

_CAMPAIGN_GROUP: Final[Keys] = {
    "dbid": _DBID,
    "campaign": _NAME,
    "group": _NAME,
    "name": Key(name(), None),
    "dial_mode": Key(one_of("Preview", "PushPreview"), "Preview"),
    "state": Key(one_of("unloaded", "loaded", "started"), "unloaded"),
    "record_timeout": Key(duration("1ms", "365d"), "10m"),
    "campaigngroup_auto_complete": Key(boolean, default=False),
    "priority": _PRIORITY_OF_OBJECT,
    **_PRE_DIAL_OF_OBJECT,
}

_DESKTOP: Final[Keys] = {
    "agent_preview_mode_start": Key(boolean, default=False),
    "agent_logout_preview_call_result": Key(call_result_or_none, -1),
}

_DO_NOT_CALL: Final[Keys] = {
    "table": Key(table_name, "gsw_donotcall_list"),
    "scope": Key(one_of("tenant", "campaign", "list"), "tenant"),
    "reread": Key(duration("1ms", "1d"), "60s"),
}

_PRE_DIAL_VALIDATION: Final[Keys] = {
    "pre_dial_validation": Key(boolean, default=False),
    "validation_uri": Key(uri, None),
    "validation_timeout_call_result": Key(call_result, _GENERAL_ERROR),
    "max_tries": Key(integer(1, 1000), 10),
    "failure_retry": Key(duration("0s", "365d"), "5m"),
    "store_answer_fields": Key(boolean, default=False),
    **_OUTGOING,
}

_REPEATED: Final = ("history", "contact_processed")

_NOTIFICATIONS: Final[Keys] = {
    "send_campaigngroup_states": Key(boolean, default=False),
    "campaigngroup_states_uri": Key(uri, None),
    "campaigngroup_states_interval": Key(duration("1ms", "1d"), "10s"),
    "campaigngroup_states_per_list": Key(boolean, default=False),
    "send_history": Key(boolean, default=False),
    "history_uri": Key(uri, None),
    "history_wait_condition_threshold": Key(integer(0, 1_000_000), 0),
    "history_wait_recovery_timeout": Key(duration("0s", "1d"), "60s"),
    "history_retention": Key(duration("0s", "365d"), "24h"),
    "validation_race_condition_call_result": Key(call_result, _GENERAL_ERROR),
    "contact_processed_notification": Key(boolean, default=False),
    "contact_processed_notification_uri": Key(uri, None),
    "http_retry_max_attempts": Key(integer(0, 1_000_000), 0),
    "http_retry_applies_to": Key(array(one_of(*_REPEATED)), list(_REPEATED)),
    "http_proxy": Key(http_proxy, None),
    "signing_key_file": Key(signing_key, None),
    **_OUTGOING,
}

_TREATMENT: Final[Keys] = {
    "dbid": _DBID,
    "name": _NAME,
    "call_result": Key(call_result),
    "calling_lists": _SOME_NAMES,
    "sequence": Key(integer(1, LARGEST_INTEGER), 1),
    "action": Key(one_of(*TREATMENT_ACTIONS)),
    "interval": Key(duration("0s", "3650d"), None),
    "increment": Key(duration("0s", "3650d"), 0),
    "at": Key(wall_time, None),
    "cycle_attempt": Key(integer(0, LARGEST_INTEGER), 0),
    "max_attempts": Key(integer(0, LARGEST_INTEGER), 0),
}

_LIMITS: Final[Keys] = {
    "body": Key(size("1B", "1GiB"), "1MiB"),
    "request_line": Key(size("1B", "1MiB"), "8KiB"),
    "header_block": Key(size("1B", "16MiB"), "64KiB"),
    "headers": Key(integer(1, 10_000), 100),
    "json_depth": Key(integer(1, 100), 32),
    "json_members": Key(integer(1, 100_000), 2000),
    "header_timeout": Key(duration("1ms", "1h"), "10s"),
    "body_timeout": Key(duration("1ms", "1d"), "30s"),
    "idle_timeout": Key(duration("1ms", "1d"), "75s"),
    "write_timeout": Key(duration("1ms", "1d"), "30s"),
    "request_timeout": Key(duration("1ms", "1d"), "30s"),
    "connections": Key(integer(1, 1_000_000), 10000),
    "in_flight": Key(integer(1, 65536), 1024),
    "pipeline": Key(integer(1, 10_000), 64),
    "event_streams": Key(integer(0, 100_000), 1000),
    "drain": Key(size("0B", "1GiB"), "256KiB"),
    "buffered": Key(size("1B", "1024GiB"), "256MiB"),
    "drain_timeout": Key(duration("0s", "1h"), "10s"),
    "idempotency_ttl": Key(duration("1m", "365d"), "24h"),
    "idempotency_by_address": Key(boolean, default=False),
    "duplicate_window": Key(duration("0s", "365d"), 0),
    "do_not_call_grace": Key(duration("0s", "365d"), "60s"),
    "frame": Key(size("1B", _LARGEST_FRAME), "2MiB"),
    "frame_timeout": Key(duration("1ms", "1h"), "30s"),
    "send_buffer": Key(size("1B", "16GiB"), "4MiB"),
    "start_timeout": Key(duration("1ms", "1h"), "20s"),
    "stop_timeout": Key(duration("0s", "1h"), "15s"),
    "heartbeat": Key(duration("1ms", "1h"), "3s"),
    "address_rate": Key(integer(0, 1_000_000), 0),
    "address_burst": Key(integer(0, 1_000_000), 0),
    "address_connections": Key(integer(0, 1_000_000), 0),
    "principal_rate": Key(integer(0, 1_000_000), 0),
    "principal_burst": Key(integer(0, 1_000_000), 0),
    "principal_connections": Key(integer(0, 1_000_000), 0),
    "remembered_addresses": Key(integer(1, 1_000_000), 10000),
}

_LOG: Final[Keys] = {
    "target": Key(log_target, "stdout"),
    "level": Key(one_of("debug", "trace", "info", "warning", "error"), "info"),
    "format": Key(one_of("text", "json", "classic"), "text"),
    "contacts": Key(one_of("masked", "clear"), "masked"),
    "http_trace": Key(boolean, default=False),
    "access": Key(path, None),
    "access_format": Key(one_of("combined", "json"), "combined"),
}

GRAMMAR: Final = Table(
    {
        "application": Table(_APPLICATION, makes=model.Application),
        "aliases": Table(_ALIASES, makes=model.Aliases),
        "listener": Table(_LISTENER, makes=model.Listener, array=True),
        "http": Table({"strict": Key(boolean, default=False)}, makes=model.Http),
        "api_key": Table(_API_KEY, makes=model.ApiKey, array=True),
        "client_certificate": Table(_CLIENT_CERTIFICATE, makes=model.ClientCertificate, array=True),
        "store": Table(_STORE, makes=model.Store),
        "ha": Table(_HA, makes=model.HighAvailability),
        "tenant": TENANT,
        "time_zone": Table(_TIME_ZONE, makes=model.TimeZone, array=True),
        "calling_list": Table(_CALLING_LIST, makes=model.CallingList, array=True),
        "campaign": Table(_CAMPAIGN, makes=model.Campaign, array=True),
        "campaign_group": Table(_CAMPAIGN_GROUP, makes=model.CampaignGroup, array=True),
        "desktop": Table(_DESKTOP, makes=model.Desktop),
        "do_not_call": Table(_DO_NOT_CALL, makes=model.DoNotCall),
        "priority": Table({key: Key(_CLASS, 0) for key in _PRIORITY_KEYS}, makes=model.Priority),
        "pre_dial_validation": Table(_PRE_DIAL_VALIDATION, makes=model.PreDialValidation),
        "notifications": Table(_NOTIFICATIONS, makes=model.Notifications),
        "treatments": Table(
            {
                "on_processed": Key(boolean, default=False),
                "apply_late_results": Key(boolean, default=False),
                "personal_callback_limit": Key(duration("0s", "3650d"), 0),
            },
            makes=model.TreatmentOptions,
        ),
        "treatment": Table(_TREATMENT, makes=model.Treatment, array=True),
        "limits": Table(_LIMITS, makes=model.Limits),
        "audit": Table({"enabled": Key(boolean, default=False), "file": Key(state_directory, None)}, makes=model.Audit),
        "log": Table(_LOG, makes=model.Log),
    },
    makes=model.Config,
)
