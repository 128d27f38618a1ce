"""The error table (http.md section 8) and what of a client's text may stand in an error (R55)."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.errors import ERRORS, Refusal, client_text

# http.md section 8, copied by hand: status, code, text; beyond it (docs/http.md): 429, rounded_number,
# unknown_argument, unnamed_argument, too_many_streams, unknown_attribute, answer_too_large and what tables refuse.
TABLE = """
400 bad_request Bad request
400 missing_req Missing parameter req
400 duplicate_req Parameter req is given more than once
400 unknown_request Unknown request <x>
400 unknown_argument Unknown argument <x>; the nearest is <y>
400 unnamed_argument Argument without a name
400 unsupported_request Request <x> is not supported for resource <y>
400 invalid_json Invalid JSON
400 not_object JSON object expected
400 invalid_text Body is not valid <x>
400 missing_attribute Missing attribute <x>
400 invalid_attribute Invalid value of attribute <x>
400 rounded_number Invalid value of attribute <x>: a spreadsheet has rounded this number
400 unknown_attribute Unknown attribute <x>; the nearest is <y>
400 unstorable_text Text has characters that the database cannot store
400 invalid_datetime Invalid date or time
400 invalid_key Invalid Idempotency-Key
401 unauthorized Authentication required
403 forbidden Not permitted
404 unknown_resource Unknown resource
404 invalid_handle Invalid record handle
404 list_not_found Calling list not found
404 group_not_found Campaign group not found
404 chain_not_found Chain not found
405 method_not_allowed Method not allowed
408 request_timeout Request timeout
409 invalid_state Request is not allowed in this state
409 group_not_active Campaign group is not active
409 do_not_call Contact is on the Do Not Call list
409 refused_by_table Calling list {x} does not accept the record: {y}
409 refused_by_dnc_table Do Not Call table does not accept the entry: {x}
409 ids_used_up Calling list {x} has no free record number up to 2147483647
409 unreadable_record Record has a value in column {x} that cannot be read
409 key_in_use Request with this Idempotency-Key is still being processed
413 body_too_large Request body too large
414 uri_too_long Request target too long
415 unsupported_coding Unsupported content encoding
415 unsupported_charset Unsupported charset
417 expectation_failed Expectation failed
422 key_mismatch Idempotency-Key was used with a different request
429 too_many_requests Too many requests
431 header_too_large Request header too large
500 internal Internal error
500 answer_too_large Answer is too large
501 unsupported_transfer Unsupported transfer coding
503 unavailable Outbound Contact Server is not available
503 list_unavailable Calling list {x} is not available
503 busy Outbound Contact Server is busy
503 too_many_streams Too many event streams are open
504 no_response No response from Outbound Contact Server
505 version HTTP version not supported
"""


class ErrorTableTests(SynchronousTestCase):
    """H152 and H162."""

    def test_table(self) -> None:
        """H162: code, status and text are those of section 8, no more and no less."""
        expected = {}
        for line in TABLE.strip().splitlines():
            status, code, text = line.split(" ", 2)
            expected[code] = (int(status), text.replace("<x>", "{x}").replace("<y>", "{y}"))
        self.assertEqual({code: (row.status, row.text) for code, row in ERRORS.items()}, expected)
        self.assertEqual([row.code for row in ERRORS.values()], list(ERRORS))

    def test_refusal(self) -> None:
        """H152: a refusal has code, status and the text with its places filled."""
        refusal = Refusal("unsupported_request", "RecordProcessed", "phones")
        self.assertEqual((refusal.code, refusal.status), ("unsupported_request", 400))
        self.assertEqual(refusal.text, "Request RecordProcessed is not supported for resource phones")
        self.assertEqual(str(refusal), refusal.text)
        self.assertEqual(Refusal("do_not_call").text, "Contact is on the Do Not Call list")

    def test_texts_of_clients_are_no_formats(self) -> None:
        """R55: braces of a client are ordinary text."""
        self.assertEqual(Refusal("unknown_request", "{y}{0}{{").text, "Unknown request {y}{0}{{")

    def test_cut(self) -> None:
        """R55: at most 64 characters of a client, counted after control characters were removed."""
        self.assertEqual(client_text("a" * 64), "a" * 64)
        self.assertEqual(client_text("a" * 65), "a" * 64)
        self.assertEqual(client_text("\0" * 100 + "é" * 100), "é" * 64)

    def test_control_characters(self) -> None:
        """R55: control characters are removed, everything else stays."""
        controls = "".join(map(chr, [*range(32), *range(0x7F, 0xA0)]))
        self.assertEqual(client_text(controls), "")
        for text in ("a b", "a\xa0b", "été", "号码", "😀", "<b>&amp;"):
            self.assertEqual(client_text(f"\r\n{text}\x1b\x9b"), text)
