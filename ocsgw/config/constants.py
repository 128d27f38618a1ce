"""Names that a configuration may use, besides those of the tables of `protocol`."""

from typing import Final

TREATMENT_ACTIONS: Final = (
    "finish",
    "next_in_chain",
    "retry_in",
    "retry_at",
    "assign_to_group",
    "agent_error",
    "no_call",
)
"""What a treatment may do (section 11)."""

OWN_TABLES: Final = "ocsgw_"
"""Beginning of the names of ocsgw's own tables (K15)."""

TIME_ZONES: Final = (
    ("GMT", "Etc/UTC"),
    ("UTC", "Etc/UTC"),
    ("CET", "Europe/Paris"),
    ("EET", "Europe/Helsinki"),
    ("MSK", "Europe/Moscow"),
    ("EST", "America/New_York"),
    ("CST", "America/Chicago"),
    ("MST", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("JST", "Asia/Tokyo"),
    ("IST", "Asia/Kolkata"),
    ("AEST", "Australia/Sydney"),
)
"""Names and IANA zones that exist without configuration (K51)."""

FIRST_TIME_ZONE_DBID: Final = 1001

CUSTOM_HEADERS: Final = (
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-XSS-Protection", "1; mode=block"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "script-src 'self'; object-src 'self'"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
)
"""What ``http_custom_headers = true`` stands for (C20)."""

RENAMED_KEYS: Final = {
    ("notifications", "http_tunnel"): "http_proxy",
    ("treatment", "campaigns"): "calling_lists",
}
"""Header of a table and key of an earlier version: the key of today (C89)."""

UNSUPPORTED_OPTIONS: Final = {
    "upgrade": "an open port cannot change to TLS; give TLS a listener of its own with [listener.tls]",
    "fips140_enabled": "use a FIPS build of OpenSSL on the machine; leave the option out",
    "campaigngroup_preload_uri": "there is no replacement; leave the option out",
    "digital_dialer_uri": "ocsgw hands records out and does not contact anybody itself; leave the option out",
    "cancel_on_desktop": "desktops are always notified of a cancel; leave the option out",
    "desktop_chains_limit": "chains of a desktop are not limited; leave the option out",
    "check_dnc_list": "the Do Not Call list is always checked; leave the option out",
    "check_dnc_callback": "the Do Not Call list is always checked; leave the option out",
    "outbound_contact_server": "ocsgw is its own Outbound Contact Server; leave the option out",
}
"""Classic options without a place here, in canonical spelling, and what to do (section 17)."""
