"""Request lines, methods, targets and empty lines (RFC 9112 section 3)."""

from tests.proxy.conformance.rows import (
    HOST,
    LIMITS,
    LINE,
    NEXT,
    Row,
    broken,
    head,
    incomplete,
    refused,
    served,
    sized,
)

_LONGEST = LIMITS["request_line"]
_TARGET = b"/phones/1?req=DoNotCall"


def _of_length(length: int) -> bytes:
    return head(line=b"POST /phones/1?req=DoNotCall&x=" + b"x" * (length - 40) + b" HTTP/1.1")


def _to(target: bytes) -> bytes:
    return head(line=b"POST " + target + b" HTTP/1.1")


VERSIONS = (
    served("H1", NEXT),
    served("H1", head(line=b"POST " + _TARGET + b" HTTP/1.0"), stays=False),
    served("H1", head(line=b"POST " + _TARGET + b" HTTP/1.2"), oracle=False),
    served("H1", head(line=b"POST " + _TARGET + b" HTTP/1.9"), oracle=False),
    *(
        broken("H1", head(line=b"POST " + _TARGET + b" " + version), 505)
        for version in (b"HTTP/0.9", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9")
    ),
    *(
        broken("9112 2.3, H1", head(line=b"POST " + _TARGET + b" " + version))
        for version in (
            b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11", b"HTTP/1.10", b"HTTP/1.01", b"HTTP/01.1", b"HTTP/a.b",
            b"HTTP/1,1", b"HTTP/-1.1", b"HTTP 1.1", b"HTTP\\1.1", b"http/1.1", b"Http/1.1", b"HTTPS/1.1", b"RTSP/1.0",
            b"SIP/2.0", b"HTTP/1.1 ", b" HTTP/1.1", b"HTTP/1.1 HTTP/1.1", b"HTTP/1.1\t", b"HTTP/1.1\x00",
            b"HTTP/1.\xb2", b"",
        )
    ),
)  # fmt: skip

FORMS = (
    *(
        broken("9112 3, H1", line + b"\r\n" + HOST + b"\r\n\r\n")
        for line in (
            b"POST", b"POST /", b"POST " + _TARGET, b"POST  " + _TARGET + b" HTTP/1.1", b"POST HTTP/1.1",
            b"POST  HTTP/1.1", b" " + LINE, b"\t" + LINE, b" / HTTP/1.1", b"POST\t" + _TARGET + b"\tHTTP/1.1",
            b"POST " + _TARGET + b"\tHTTP/1.1", b"POST\x0b" + _TARGET + b" HTTP/1.1", b"POST\xa0/ HTTP/1.1",
            b"PO(ST / HTTP/1.1", b"PO/ST / HTTP/1.1", b"PO,ST / HTTP/1.1", b'"POST" / HTTP/1.1', b"P\xc3\x96ST / HTTP/1.1",
            b"PO\x00ST / HTTP/1.1", b"PO:ST / HTTP/1.1", b"POST: / HTTP/1.1", b"[POST] / HTTP/1.1",
        )
    ),
    broken("9112 2.2, H6", LINE + b"\n" + HOST + b"\r\n\r\n"),
    broken("9112 2.2, H6", LINE + b"\n" + HOST + b"\n\n"),
    broken("9112 2.2, H6", LINE + b"\r\r\n" + HOST + b"\r\n\r\n"),
    broken("9112 2.2, H6", LINE + b"\r" + HOST + b"\r\n\r\n"),
    broken("9112 3", b"POST " + _TARGET + b"\r HTTP/1.1\r\n" + HOST + b"\r\n\r\n"),
    broken("9112 3.3", b"GET /\r\n\r\n"),
    broken("H13", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40),
    broken("H13", b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00"),
    broken("H13", b"\x00" * 64),
    broken("H13", b"<xml/>\r\n\r\n"),
    broken("H13", b'{"GSW_PHONE":"1"}\r\n\r\n'),
    broken("9113 3.4, H1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    incomplete("9112 2.2", b"P"),
    incomplete("9112 2.2", b"POST /x HTTP/1.1\r"),
    incomplete("9112 2.2", b"POST /x HTTP/1.1\r\nHost: h\r\n"),
    incomplete("9112 2.2", b"\r\n\r\n"),
    incomplete("9112 6", sized(b"{}")[:-1]),
)  # fmt: skip

# Nothing but the line has come: it is judged by itself.
JUDGED_AT_ONCE = (
    broken("H354", b"GET /\r\n"),
    broken("H354", b"rubbish\r\n"),
    broken("H354", b"GET / http/1.1\r\n"),
    broken("H354", b"GET / HTTP/2.0\r\n", 505),
    broken("H354, H56", b'POST /phones/"?req=DoNotCall HTTP/1.1\r\n'),
    broken("H354, H56", b"POST /phones/%zz?req=DoNotCall HTTP/1.1\r\n"),
    broken("H354, H56", b"POST /phones/%ff?req=DoNotCall HTTP/1.1\r\n"),
    broken("H354, H58", b"POST phones/1?req=DoNotCall HTTP/1.1\r\n"),
    broken("H354, H58", b"POST ftp://h/phones/1 HTTP/1.1\r\n"),
    broken("H354, H21", b"POST /" + b"x" * _LONGEST + b" HTTP/1.1\r\n", 414),
    broken("H354, H21", b"X" * 33 + b" / HTTP/1.1\r\n"),
    Row("H354, 9110 9.3.2", b"HEAD /phones/%zz HTTP/1.1\r\n", (400,), stays=False, heads=(0,)),
    incomplete("H354", b"GET /nowhere HTTP/1.1\r\n"),
    incomplete("H354, H71", b"CONNECT ocs.example:443 HTTP/1.1\r\n"),
    incomplete("H354, H71", b"OPTIONS * HTTP/1.1\r\n"),
)

METHODS = (
    *(
        refused("H71", head(line=method + b" " + _TARGET + b" HTTP/1.1"), 405)
        for method in (
            b"GET", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"post", b"Post", b"POSTS", b"M-SEARCH",
            b"!#$%&'*+-.^_`|~0aZ", b"X" * 32,
        )
    ),
    broken("H21", head(line=b"X" * 33 + b" " + _TARGET + b" HTTP/1.1")),
    broken("H21", b"X" * 33),
    Row("9110 9.3.2, H71", head(line=b"HEAD " + _TARGET + b" HTTP/1.1"), (405,), stays=True, heads=(0,)),
    Row("9110 9.3.2", head(line=b"HEAD /nowhere HTTP/1.1"), (404,), stays=True, heads=(0,)),
    Row("9110 9.3.2", head(b"Bad Name: 1", line=b"HEAD / HTTP/1.1"), (400,), stays=False, heads=(0,)),
    Row("9110 9.3.2", head(b"A: " + b"x" * 1000, line=b"HEAD / HTTP/1.1"), (431,), stays=False, heads=(0,)),
    Row("9110 9.3.2", b"HEAD / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", (400,), stays=False, heads=(0,)),
    refused("9110 9.3.7, H71", head(line=b"OPTIONS * HTTP/1.1"), 405),
    broken("H58", head(line=b"GET * HTTP/1.1")),
    broken("H58", head(line=b"POST * HTTP/1.1")),
    refused("9110 9.3.6, H71", head(line=b"CONNECT ocs.example:443 HTTP/1.1"), 405, stays=False),
    refused("9110 9.3.6, H71", head(line=b"CONNECT / HTTP/1.1"), 405, stays=False),
    refused("9110 9.3.6, H71", head(b"Content-Length: 2", line=b"CONNECT h:1 HTTP/1.1") + b"{}", 405, stays=False),
    refused("9110 9.3.1, H11", sized(b"{}", line=b"GET " + _TARGET + b" HTTP/1.1"), 405),
    refused("H57", head(line=b"GET / HTTP/1.1"), 404),
)  # fmt: skip

TARGETS = (
    served("9112 3.2.2, H58", _to(b"http://ocs.example" + _TARGET)),
    served("9112 3.2.2, H58", _to(b"https://other:1" + _TARGET)),
    served("9112 3.2.2, H58", _to(b"HTTP://OCS.example:8080" + _TARGET)),
    served("9112 3.2.2, H58", _to(b"http://user@[::1]:1" + _TARGET)),
    refused("9112 3.2.2, H57", _to(b"http://ocs.example"), 404),
    refused("9112 3.2.2, H57", _to(b"http://ocs.example?req=DoNotCall"), 404),
    *(
        broken("9112 3.2, H58", _to(target))
        for target in (
            b"http://" + _TARGET, b"ftp://h" + _TARGET, b"http:" + _TARGET, b"phones/1?req=DoNotCall", b"ocs.example:80",
            b"?req=DoNotCall", b"http", b"htt://h/phones/1",
        )
    ),
    *(
        broken("3986 2, H56", _to(b"/phones/a" + bad + b"b?req=DoNotCall"))
        for bad in (
            b'"', b"<", b">", b"\\", b"^", b"`", b"{", b"}", b"|", b"#", b"\x7f", b"\x01", b"\x00", b"\t", b"\x1f",
            b"%", b"%2x", b"%zz", b"%g0", b"%00", b"%0d%0a", b"%7F", b"\xff", b"%ff", b"%C3", b"%ed%a0%80",
        )
    ),
    broken("H56", _to(_TARGET + b"&x=%zz")),
    broken("H56", _to(_TARGET + b"&x=%ff")),
    broken("H56", _to(_TARGET + b"#top")),
    *(
        served("3986 3.3, H53", _to(b"/phones/" + identifier + b"?req=DoNotCall"), oracle=identifier.isascii())
        for identifier in (b"%2F", b"a;b=c", b"..", b".", b"a+b", b"%2b", b"\xc3\xa9", b"%C3%A9", b"~!$&'()*,;=:@-._")
    ),
    served("3986 3.4", _to(_TARGET + b"&x=/?:@")),
    served("H51", _to(b"/phones/1?&&re%71=DoNotCall&")),
    *(
        refused("H57", _to(target), 404)
        for target in (
            b"/", b"//", b"/phones", b"/phones/", b"/phones/1/", b"/phones/1/2", b"//phones/1?req=DoNotCall",
            b"/phones//1", b"/./phones/1", b"/x/../phones/1", b"/api/v1", b"/phone/1?req=DoNotCall", b"/phones/?req=DoNotCall",
        )
    ),
    served("9110 4.1, H21", _of_length(_LONGEST)),
    broken("H21", _of_length(_LONGEST + 1), 414),
    broken("H21", b"POST /" + b"x" * _LONGEST, 414),
    broken("H21", b"POST /" + b"x" * 5 * _LONGEST + b" HTTP/1.1\r\n\r\n", 414),
)  # fmt: skip

EMPTY_LINES = (
    *(served("9112 2.2, H10", b"\r\n" * lines + NEXT, oracle=lines < 2) for lines in (1, 2, 3, 4)),
    broken("H10", b"\r\n" * 5 + NEXT),
    broken("H10", b"\r\n" * 5),
    Row("9112 2.2, H10", NEXT + b"\r\n" * 4 + NEXT, (200, 200), stays=True, oracle=False),
    Row("9112 2.2, H10", sized(b"{}") + b"\r\n" + NEXT, (200, 200), stays=True),
    Row("H10", NEXT + b"\r\n" * 5 + NEXT, (200, 400), stays=False),
    broken("H6", b"\n" + NEXT),
    broken("H6", b"\r" + NEXT),
    broken("H6", b"\r\n\n" + NEXT),
    broken("H6", b"\r\r\n" + NEXT),
    broken("H10", b" \r\n" + NEXT),
)

ROWS: tuple[Row, ...] = (*VERSIONS, *FORMS, *JUDGED_AT_ONCE, *METHODS, *TARGETS, *EMPTY_LINES)
