"""Message bodies and what follows them: lengths, chunks, trailers, smuggling, pipelining (RFC 9112 sections 6, 7, 9)."""

from tests.proxy.conformance.rows import LIMITS, NEXT, Row, broken, head, in_chunks, incomplete, refused, served, sized

_ZERO = b"POST /phones/1?req=DoNotCall HTTP/1.0"
_MOST = LIMITS["body"]
_DRAIN = LIMITS["drain"]
_BLOCK = LIMITS["header_block"]
_NOWHERE = b"POST /nowhere HTTP/1.1"
_GET = b"GET /phones/1 HTTP/1.1"
_CHUNKED = b"Transfer-Encoding: chunked"
_END = b"0\r\n\r\n"
_SMUGGLED = b"POST /phones/smuggled?req=DoNotCall HTTP/1.1\r\nHost: h\r\n\r\n"


def _json(size: int) -> bytes:
    """Return a JSON object of this size."""
    return b"{" + b" " * (size - 2) + b"}"


def _chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


LENGTHS = (
    served("9112 6.3", head(b"Content-Length: 0")),
    served("9112 6.3", sized(b"{}")),
    served("9112 6.2", head(b"Content-Length: 0002") + b"{}"),
    served("9112 6.2", head(b"content-LENGTH:2") + b"{}"),
    served("9112 6.2", head(b"Content-Length: \t2 ") + b"{}"),
    served("H20", sized(_json(_MOST))),
    broken("H20", sized(_json(_MOST + 1)), 413),
    broken("H20", head(b"Content-Length: 401"), 413),
    broken("H20", head(b"Content-Length: 18446744073709551616"), 413),
    broken("H20", head(b"Content-Length: " + b"9" * 900), 413),
    *(
        broken("9112 6.3, H5", head(b"Content-Length:" + value) + b"{}" + _SMUGGLED)
        for value in (
            b"", b" ", b" +2", b" -2", b" -0", b" 2,2", b" 2, 2", b" 2;2", b" 0x2", b" 2.0", b" 2e0", b" 1 2", b" 2 a",
            b" a", b" \xb2", b" \xef\xbc\x92", b" 2_0", b" 0b1", b" '2'", b' "2"', b" 2,", b" ,2", b" \x0b2", b" \x002",
        )
    ),
    broken("9112 6.3, H5", head(b"Content-Length: 2", b"Content-Length: 2") + b"{}"),
    broken("9112 6.3, H5", head(b"Content-Length: 2", b"Content-Length: 3") + b"{}"),
    broken("9112 6.3, H5", head(b"Content-Length: 0", b"content-length: 60") + _SMUGGLED),
    refused("H92", sized(b"{"), 400),
    refused("H91", sized(b" "), 400),
    Row("9112 6.3", sized(_SMUGGLED), (400,), stays=True),
    incomplete("9112 6.3", head(b"Content-Length: 2")),
    incomplete("9112 6.3", head(b"Content-Length: 400") + b"x" * 399),
)  # fmt: skip

CODINGS = (
    *(
        served("9112 6.1, H4", head(b"Transfer-Encoding: " + value) + _chunk(b"{}") + _END, oracle=value == b"chunked")
        for value in (b"chunked", b"Chunked", b"CHUNKED", b"\tchunked ", b"chunked,", b", chunked", b",,chunked, ,")
    ),
    *(
        broken("9112 6.1, H5", head(b"Transfer-Encoding: " + value) + _chunk(b"{}") + _END + _SMUGGLED, 501)
        for value in (
            b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked, identity",
            b"identity, chunked", b"xchunked", b"chunkedx", b"x-chunked", b"chunked;q=1", b'"chunked"', b"'chunked'",
            b"chunk", b"chu nked", b"chunked\x80", b"\xa0chunked", b"deflate", b"br", b"chunked chunked",
        )
    ),
    *(
        broken("9112 6.1, H5", head(b"Transfer-Encoding:" + value) + _END)
        for value in (b"", b" ", b" ,", b",,", b" \x0bchunked", b" chunked\x00", b" chunked\x0c", b" chunked\r")
    ),
    broken("9112 6.1, H5", head(_CHUNKED, _CHUNKED) + _END, 501),
    broken("9112 6.1, H5", head(_CHUNKED, b"Transfer-Encoding: identity") + _END, 501),
    broken("9112 6.1, H5", head(b"Transfer-Encoding: x", _CHUNKED) + _END, 501),
    *(
        broken("9112 6.1, H5", head(*fields) + _END + _SMUGGLED)
        for fields in (
            (_CHUNKED, b"Content-Length: 5"), (b"Content-Length: 5", _CHUNKED), (_CHUNKED, b"Content-Length: 0"),
            (b"Content-Length: 5", b"Transfer-Encoding: gzip"), (b"Content-Length: 5", b"Transfer-Encoding:"),
            (_CHUNKED, b"Content-Length:"), (b"Content-Length: 5", b"transfer-encoding: identity"),
        )
    ),
    broken("9112 6.1, H5", head(_CHUNKED, line=_ZERO) + _END),
    broken("9112 6.1, H5", head(_CHUNKED, b"Connection: keep-alive", line=_ZERO) + _END),
    broken("9112 6.1, H5", head(_CHUNKED, b"Content-Length: 5", line=_ZERO) + _END),
    broken("9112 6.1", head(b"Transfer-Encoding\t: chunked") + _END + _SMUGGLED),
    broken("9112 6.1", head(b"Transfer-Encoding:\r\n chunked") + _END + _SMUGGLED),
    broken("9112 6.1", head(b"Transfer-Encoding: chunked\nX: y") + _END + _SMUGGLED),
    Row("9112 6.1", head(b"Transfer_Encoding: chunked") + _END, (200, 400), stays=False),
    Row("9112 6.1", head(b"X-Transfer-Encoding: chunked") + _END, (200, 400), stays=False),
)  # fmt: skip

CHUNKS = (
    served("9112 7.1", in_chunks(_END)),
    served("9112 7.1", in_chunks(_chunk(b"{") + _chunk(b"}") + _END)),
    served("9112 7.1", in_chunks(b"2\r\n{}\r\n" + b"000\r\n\r\n")),
    served("9112 7.1", in_chunks(b"0002\r\n{}\r\n" + _END)),
    served("9112 7.1", in_chunks(b"1A\r\n" + _json(26) + b"\r\n" + _END)),
    served("9112 7.1", in_chunks(b"1a\r\n" + _json(26) + b"\r\n" + _END)),
    served("9112 7.1, H24", in_chunks(b"0" * 255 + b"2\r\n{}\r\n" + _END), oracle=False),
    *(
        served("9112 7.1.1", in_chunks(_chunk(b"{}", extension) + b"0" + extension + b"\r\n\r\n"), oracle=False)
        for extension in (b";a", b";a=b", b';a="b;c"', b" ;a", b"\t;\ta=b", b";", b";;", b';a="\xff"', b";a=b;c=d")
    ),
    served("H24", in_chunks(_chunk(b"{}", b";" + b"x" * 254) + _END), oracle=False),
    broken("H24", in_chunks(_chunk(b"{}", b";" + b"x" * 255) + _END)),
    broken("H24", in_chunks(b"2;" + b"x" * 2000)),
    broken("H24", in_chunks(b"0" * 256 + b"2\r\n{}\r\n" + _END)),
    *(
        broken("9112 7.1", in_chunks(size + b"\r\n{}\r\n" + _END + _SMUGGLED))
        for size in (
            b"", b" 2", b"2 ", b"\t2", b"0x2", b"+2", b"-2", b"2.0", b"2,", b"g", b"2g", b"2h;a", b"\xb2", b"2 a", b"2\x00",
            b"2;a\x00", b"2;a\x01", b"2;a\x7f", b"2;a\rb", b"2\r", b"2;a\r", b"2=a", b"0_2", b"\x0b2",
        )
    ),
    broken("9112 7.1", in_chunks(b"2\n{}\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"2;a\n{}\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"2;a\nb\r\n{}\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"2\r\n{}" + _END)),
    broken("9112 7.1", in_chunks(b"2\r\n{}\n" + _END)),
    broken("9112 7.1", in_chunks(b"2\r\n{}\r\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"2\r\n{} \r\n" + _END)),
    broken("9112 7.1", in_chunks(b"1\r\n{}\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"3\r\n{}\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"\r\n" + _END)),
    broken("9112 7.1", in_chunks(b"2\r\n{}\r\n\r\n" + _END)),
    served("H20", in_chunks(_chunk(_json(_MOST)) + _END)),
    served("H20", in_chunks(_chunk(_json(_MOST)[:200]) + _chunk(_json(_MOST)[200:]) + _END)),
    broken("H20", in_chunks(_chunk(_json(_MOST + 1)) + _END), 413),
    broken("H20", in_chunks(b"191\r\n"), 413),
    broken("H20", in_chunks(_chunk(b" " * 200) + b"c9\r\n"), 413),
    broken("H20", in_chunks(b"ffffffffffffffff\r\n"), 413),
    broken("H20", in_chunks(b"f" * 200 + b"\r\n"), 413),
    incomplete("9112 7.1", in_chunks(b"2\r\n{}\r\n0\r\n")),
    incomplete("9112 7.1", in_chunks(b"2")),
    incomplete("9112 7.1", in_chunks(b"2\r\n{}\r")),
    Row("9112 7.1", in_chunks(_chunk(_SMUGGLED) + _END), (400,), stays=True),
)  # fmt: skip

TRAILERS = (
    *(
        served("9112 7.1.2", in_chunks(_chunk(b"{}") + b"0\r\n" + trailers + b"\r\n"), oracle=False)
        for trailers in (b"A: b\r\n", b"A:\r\n", b"A: b\r\nA: c\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: gzip\r\n",
                         b"Host: x\r\n", b"Connection: close\r\n", b"A: \x80\r\n", b"Content-Encoding: gzip\r\n")
    ),
    *(
        broken("9112 7.1.2, H6", in_chunks(_chunk(b"{}") + b"0\r\n" + trailers + b"\r\n" + _SMUGGLED))
        for trailers in (b"A\r\n", b"A : b\r\n", b": b\r\n", b" A: b\r\n", b"A: b\r\n c\r\n", b"A: b\nC: d\r\n", b"A: b\rc\r\n",
                         b"A: \x00\r\n", b"A B: c\r\n", b"\n", b"A: b\n\r\n")
    ),
    served("H23", in_chunks(b"0\r\n" + b"A: b\r\n" * LIMITS["headers"] + b"\r\n"), oracle=False),
    broken("H23", in_chunks(b"0\r\n" + b"A: b\r\n" * (LIMITS["headers"] + 1) + b"\r\n"), 431),
    broken("H22", in_chunks(b"0\r\nA: " + b"x" * _BLOCK + b"\r\n\r\n"), 431),
    broken("H22", in_chunks(b"0\r\nA: " + b"x" * _BLOCK), 431),
    broken("H22", in_chunks(b"0\r\nA: " + b"x" * 600 + b"\r\n\r\n", b"B: " + b"x" * 600), 431),
)  # fmt: skip

DRAINED = (
    refused("H11", sized(b"x" * 100, line=_NOWHERE), 404),
    refused("H11", sized(_SMUGGLED, line=_NOWHERE), 404),
    refused("H11", sized(b"x" * _DRAIN, line=_NOWHERE), 404),
    refused("H11", sized(b"x" * (_DRAIN + 1), line=_NOWHERE), 404, stays=False),
    refused("H11", sized(b"x" * _DRAIN, line=_GET), 405),
    refused("H11", in_chunks(_chunk(_SMUGGLED) + _END, line=_NOWHERE), 404),
    refused("H11", in_chunks(_chunk(b"x" * _DRAIN) + b"0\r\nA: b\r\n\r\n", line=_NOWHERE), 404),
    refused("H11", in_chunks(_chunk(b"x" * (_DRAIN + 1)) + _END, line=_NOWHERE), 404, stays=False),
    refused("H11", in_chunks(b"g\r\n" + _SMUGGLED, line=_NOWHERE), 404, stays=False),
    refused("H11", in_chunks(b"0\r\nA\r\n\r\n" + _SMUGGLED, line=_GET), 405, stays=False),
    refused("H11", sized(b"{}", b"Connection: close", line=_NOWHERE), 404, stays=False),
    Row("H11", in_chunks(_END, line=b"HEAD /phones/1 HTTP/1.1"), (405,), stays=True, heads=(0,)),
)

PIPELINES = (
    Row("9112 9.3.2, H3", NEXT * 3, (200,) * 3, stays=True),
    Row("9112 9.3.2, H3", NEXT * 40, (200,) * 40, stays=True),
    Row("9112 9.3.2, H3", sized(b"{}") + in_chunks(_chunk(b"{}") + _END) + NEXT, (200,) * 3, stays=True),
    Row("9112 9.3.2, H3", NEXT + head(line=_NOWHERE) + sized(b"x") + NEXT, (200, 404, 400, 200), stays=True),
    Row("9112 9.3.2", NEXT + head(line=b"HEAD /phones/1 HTTP/1.1") + NEXT, (200, 405, 200), stays=True, heads=(1,)),
    Row("H11", NEXT + b"rubbish\r\n\r\n" + NEXT, (200, 400), stays=False),
    Row("H11", NEXT + head(b"Content-Length: 2", b"Content-Length: 2") + b"{}" + NEXT, (200, 400), stays=False),
    Row("H11", NEXT + head(b"Content-Length: 500") + NEXT, (200, 413), stays=False),
    Row("H2", NEXT + head(b"Connection: close") + NEXT, (200, 200), stays=False),
    Row("H1", NEXT + head(line=_ZERO) + NEXT, (200, 200), stays=False),
    Row("H8", NEXT + sized(b"{}", b"Expect: 100-continue") + NEXT, (200, 100, 200, 200), stays=True, oracle=False),
    Row("9112 6.3", NEXT + NEXT[:-1], (200,), stays=None),
)

ROWS: tuple[Row, ...] = (*LENGTHS, *CODINGS, *CHUNKS, *TRAILERS, *DRAINED, *PIPELINES)
