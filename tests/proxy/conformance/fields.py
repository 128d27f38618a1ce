"""Header fields: syntax, limits, Host, Connection, Expect, and those that are ignored (RFC 9110, RFC 9112 section 5)."""

from tests.proxy.conformance.rows import HOST, LIMITS, LINE, NEXT, Row, broken, head, refused, served, sized

_ZERO = b"POST /phones/1?req=DoNotCall HTTP/1.0"
_BLOCK = LIMITS["header_block"]
_FIELDS = LIMITS["headers"]


def _block(size: int) -> bytes:
    """Return a request whose field lines have this size, their ends included."""
    return head(b"A: " + b"x" * (size - len(HOST) - 2 - 5))


HOSTS = (
    *(
        served("9110 7.2, H7", head(host=b"Host: " + host))
        for host in (
            b"h", b"OCS.example", b"h:80", b"h:", b"h:0", b"h:00080", b"h:65535", b"192.0.2.1", b"192.0.2.1:8080",
            b"[::1]", b"[2001:DB8::7]:8080", b"[::ffff:192.0.2.1]", b"[v1.a:b]", b"a-b_c~d", b"a!$&'()*+,;=b",
            b"caf%C3%A9", b"999.999.999.999", b"  \t h \t ",
        )
    ),
    served("9110 5.1", head(host=b"hOsT:h")),
    *(
        broken("9110 7.2, H7", head(host=host))
        for host in (
            None, b"Host:", b"Host: \t", b"Host: h h", b"Host: h, i", b"Host: h:65536", b"Host: h:123456", b"Host: h:8a",
            b"Host: h:-1", b"Host: h:80:80", b"Host: ::1", b"Host: [::1", b"Host: [::g]", b"Host: [1:2]",
            b"Host: [::1]x", b"Host: [v.a]", b"Host: [fe80::1%25eth0]", b"Host: user@h", b"Host: h/", b"Host: http://h",
            b"Host: %4", b"Host: h\\i", b"Host: caf\xc3\xa9", b"Host: h?", b"Host: h#", b"Host: <h>", b"Host: \"h\"",
        )
    ),
    broken("9112 3.2, H7", head(HOST)),
    broken("9112 3.2, H7", head(b"Host: other")),
    broken("9112 3.2, H7", head(b"hOST:")),
    served("9112 3.2", head(line=_ZERO, host=None), stays=False),
    broken("9112 3.2", head(HOST, line=_ZERO)),
    broken("9112 3.2, H7", head(line=_ZERO, host=b"Host: h h")),
)  # fmt: skip

SYNTAX = (
    *(
        broken("9112 5, H6", head(field))
        for field in (
            b"A", b"A b", b"A : b", b"A\t: b", b": b", b":", b" A: b", b"\tA: b", b"A B: c", b"A(: b", b"A/B: c",
            b"A\xc3\xa9: b", b"A@: b", b'"A": b', b"A[]: b", b"{A}: b", b"A,B: c", b"A;: b", b"A=: b", b"A?: b",
            b"A\x00: b", b"A\x7f: b", b"A: b\x00c", b"A: \x00", b"A: b\rc", b"A: b\nc", b"A: b\nHost: c", b"A: b\x01",
            b"A: b\x08", b"A: b\x0b", b"A: b\x0c", b"A: b\x1f", b"A: b\x7f", b"A: b\r", b"A: b\n", b"   ", b"A: b\r\n c",
            b"A: b\r\n\tc", b"A: b\r\n \r\nC: d", b"Content-Length : 0", b"Transfer-Encoding : chunked",
        )
    ),
    broken("9112 2.2, H6", LINE + b"\r\n " + HOST + b"\r\n\r\n"),
    broken("9112 2.2, H6", LINE + b"\r\n" + HOST + b"\r\n\n"),
    broken("9112 2.2, H6", LINE + b"\r\n" + HOST + b"\n\r\n"),
    broken("9112 2.2, H6", LINE + b"\r\n" + HOST + b"\n\n"),
    broken("9112 2.2, H6", LINE + b"\r\n" + HOST + b"\r\r\n\r\n"),
    *(
        served("9110 5.5, 5.6.2", head(field))
        for field in (
            b"A:b", b"A:", b"A: ", b"A: \t b \t ", b"A: b\tc", b"A: \x80\xff", b"A: \"b,c", b"A::b", b"A: b: c",
            b"!#$%&'*+-.^_`|~0aZ: b", b"a: 1", b"123: b",
        )
    ),
    served("9110 5.2", head(b"A: 1", b"A: 2", b"a: 1")),
    served("H23", head(*[b"A: b"] * (_FIELDS - 1))),
    broken("H23", head(*[b"A: b"] * _FIELDS), 431),
    served("H22", _block(_BLOCK)),
    broken("H22", _block(_BLOCK + 1), 431),
    broken("H22", _block(3 * _BLOCK), 431),
    broken("H22", head()[:-2] + b"A: " + b"x" * _BLOCK, 431),
    broken("H22", head()[:-2] + b"x" * _BLOCK, 431),
    broken("H22", head()[:-2] + b"A: b\r\n" * 300, 431),
)  # fmt: skip

CONNECTIONS = (
    *(
        served("9112 9.3, H2", head(field), stays=False, oracle=field.lower().endswith(b" close"))
        for field in (b"Connection: close", b"CONNECTION: Close", b"Connection: keep-alive, close", b"Connection: a,close ,b",
                      b"Connection: close, keep-alive", b"Connection:,,close")
    ),
    served("9112 9.3, H2", head(b"Connection: keep-alive", b"Connection: close"), stays=False, oracle=False),
    *(
        served("9112 9.3, H2", head(field))
        for field in (b"Connection: keep-alive", b"Connection:", b"Connection: closed", b"Connection: x-close",
                      b"Connection: \"close\"", b"Connection: close;x", b"Proxy-Connection: close", b"Close: 1")
    ),
    served("9112 9.3, H1", head(b"Connection: keep-alive", line=_ZERO), oracle=False),
    served("9112 9.3, H1", head(b"Connection: Keep-Alive", line=_ZERO), oracle=False),
    served("9112 9.3, H1", head(b"Connection: x, keep-alive", line=_ZERO), oracle=False),
    served("9112 9.3, H1", head(b"Connection: keep-alive, close", line=_ZERO), stays=False),
    served("9112 9.3, H1", head(b"Keep-Alive: timeout=5", line=_ZERO), stays=False),
    served("9112 9.3, H1", head(b"Proxy-Connection: keep-alive", line=_ZERO), stays=False),
    refused("H2", head(b"Connection: close", line=b"GET /phones/1 HTTP/1.1"), 405, stays=False),
    refused("H1", head(line=b"GET /nowhere HTTP/1.0"), 404, stays=False),
    Row("H2", head(b"Connection: close") + NEXT, (200,), stays=False),
    served("H12", sized(b"{}", b"Connection: close"), stays=False),
)  # fmt: skip

EXPECTATIONS = (
    *(
        Row("9110 10.1.1, H8", sized(b"{}", field), (100, 200), stays=True, oracle=False)
        for field in (b"Expect: 100-continue", b"Expect: 100-Continue", b"EXPECT:100-CONTINUE", b"Expect: 100-continue, 100-continue")
    ),
    served("9110 10.1.1, H8", head(b"Expect: 100-continue"), oracle=False),
    served("9110 10.1.1, H8", head(b"Expect: 100-continue", b"Content-Length: 0"), oracle=False),
    served("9110 10.1.1", sized(b"{}", b"Expect:")),
    Row("9110 10.1.1, H8", head(b"Expect: 100-continue", b"Content-Length: 2"), (100,), stays=None),
    Row("9110 10.1.1, H8", head(b"Expect: 100-continue", b"Transfer-Encoding: chunked"), (100,), stays=None),
    Row("9110 10.1.1, H8", head(b"Expect: 100-continue", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", (100, 200),
        stays=True, oracle=False),
    served("9110 10.1.1, H8", sized(b"{}", b"Expect: 100-continue", line=_ZERO), stays=False),
    served("9110 10.1.1, H8", sized(b"{}", b"Expect: magic", line=_ZERO), stays=False),
    *(
        refused("9110 10.1.1, H8", sized(b"{}", field), 417)
        for field in (b"Expect: magic", b"Expect: 100", b"Expect: 100-continue=1", b"Expect: \"100-continue\"")
    ),
    refused("9110 10.1.1, H11", sized(b"{}", b"Expect: 100-continue, magic"), 417, stays=False),
    *(
        refused("9110 10.1.1, H8, H11", head(b"Expect: 100-continue", b"Content-Length: 2", *fields, line=line) + b"{}", status,
                stays=False)
        for line, status, fields in (
            (b"POST /nowhere HTTP/1.1", 404, ()),
            (b"GET /phones/1 HTTP/1.1", 405, ()),
            (b"POST /phones/1 HTTP/1.1", 400, ()),
            (LINE, 415, (b"Content-Encoding: br",)),
            (LINE, 400, (b"Idempotency-Key:",)),
        )
    ),
    broken("H8, H20", head(b"Expect: 100-continue", b"Content-Length: 401"), 413),
)  # fmt: skip

IGNORED = (
    *(
        served("H9, H80, H81", sized(b"{}", field))
        for field in (
            b"Upgrade: h2c", b"Upgrade: websocket", b"Range: bytes=0-1", b"If-Match: \"x\"", b"If-None-Match: *",
            b"If-Modified-Since: Sat, 21 Mar 2026 14:30:00 GMT", b"If-Unmodified-Since: x", b"If-Range: \"x\"",
            b"Accept-Encoding: gzip", b"Accept-Language: xx", b"X-HTTP-Method-Override: GET", b"X-Method-Override: DELETE",
            b"Cookie: a=b", b"TE: trailers", b"Trailer: A", b"Via: 1.1 x", b"Max-Forwards: 0", b"Accept: image/png",
            b"Accept: ,;=", b"Content-Type: image/png", b"Content-Type: ;;", b"Content-Type:", b"Date: yesterday",
            b"Content-Encoding: identity", b"Content-Encoding:", b"Content-Encoding: Identity, identity",
            b"Content-Transfer-Encoding: base64", b"Content_Length: 5", b"Transfer_Encoding: chunked",
            b"X-Content-Length: 9",
        )
    ),
    served("H9", sized(b"{}", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ")),
    *(
        refused("H82", sized(b"{}", field), 415)
        for field in (b"Content-Encoding: gzip", b"Content-Encoding: x", b"Content-Encoding: identity, br")
    ),
    refused("H133", sized(b"{}", b"Content-Type: application/json; charset=utf-16"), 415),
)  # fmt: skip

ROWS: tuple[Row, ...] = (*HOSTS, *SYNTAX, *CONNECTIONS, *EXPECTATIONS, *IGNORED)
