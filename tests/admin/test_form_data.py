"""A form with a file as it comes in, cut anywhere."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.imports.form_data import FormData

KIND = b'multipart/form-data; boundary="xYz"'
CONTENTS = b"phone\r\n1\r\n--xY\r\n\r\n-xYz2\n"


def body(contents: bytes = CONTENTS, name: str = "m\u00fcller.csv") -> bytes:
    """Return a form with a field, a file and another field, as a browser writes it."""
    parts = (
        b'Content-Disposition: form-data; name="token"\r\n\r\nsecret',
        b'Content-Disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n'
        b"Content-Type: text/csv\r\n\r\n" + contents,
        b'Content-Disposition: form-data; name="list"\r\n\r\nListe \xc3\xa9t\xc3\xa9',
    )
    return b"".join(b"--xYz\r\n" + each + b"\r\n" for each in parts) + b"--xYz--\r\n"


class _File:
    """A file in memory."""

    def __init__(self) -> None:
        self.contents = b""
        self.is_closed = False

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        self.contents += piece

    def close(self) -> None:
        """Remember the end."""
        self.is_closed = True


class FormDataTests(SynchronousTestCase):
    """What becomes of the parts."""

    def setUp(self) -> None:
        self.names: list[str] = []
        self.file = _File()

    def open_file(self, name: str) -> _File:
        """Keep the file in memory."""
        self.names.append(name)
        return self.file

    def test_cut_anywhere(self) -> None:
        """Wherever the body is cut, fields and file are the same, also where contents look like a boundary."""
        whole = body()
        for cut in range(len(whole)):
            self.setUp()
            form = FormData(KIND, self.open_file)
            form.take(whole[:cut])
            form.take(whole[cut:])
            form.end()
            self.assertIsNone(form.problem)
            self.assertEqual(form.fields, {b"token": [b"secret"], b"list": ["Liste \u00e9t\u00e9".encode()]})
            self.assertEqual(self.names, ["m\u00fcller.csv"])
            self.assertEqual((self.file.contents, self.file.is_closed), (CONTENTS, True))

    def test_incomplete(self) -> None:
        """A body that ends early is no form."""
        form = FormData(KIND, self.open_file)
        form.take(body()[:-20])
        form.end()
        self.assertEqual(form.problem, "the form is not complete")

    def test_nonsense(self) -> None:
        """Bytes that are no form, a boundary that is none, and fields without end are refused in words."""
        for kind, data, words in (
            (KIND, b"nonsense that is no form at all", "not valid multipart/form-data"),
            (b"multipart/form-data", body(), "not valid multipart/form-data"),
            (KIND, b'--xYz\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 70_000, "too large"),
        ):
            with self.subTest(kind=kind, data=data[:20]):
                form = FormData(kind, self.open_file)
                form.take(data)
                form.end()
                self.assertIn(words, form.problem or "")

    def test_full_disk(self) -> None:
        """A file that cannot be written is a problem of this form alone."""

        def fail(name: str) -> _File:
            raise OSError(28, "No space left on device")

        form = FormData(KIND, fail)
        form.take(body())
        form.end()
        self.assertEqual(form.problem, "the file cannot be kept: No space left on device")
