"""Tests of ocsgw.config.reading: what has no end, or nobody writes to, ends with a clear error."""

import os

from ocsgw.config import ConfigurationError, load
from ocsgw.config.reading import LARGEST_FILE, UnreadableError, read_file
from tests.config.support import APPLICATION, ConfigTestCase

KEY = '[[api_key]]\nname = "k"\nkey_file = "{}"\n'


class ReadingTests(ConfigTestCase):
    """Files that are no files, and files that are too large."""

    def odd(self) -> list[tuple[str, str]]:
        """Return paths with what the refusal says."""
        pipe = os.path.join(self.directory, "pipe")
        os.mkfifo(pipe)
        large = self.write("large", "")
        os.truncate(large, LARGEST_FILE + 1)
        return [
            ("/dev/zero", "it is a device"),
            (pipe, "it is a pipe"),
            (self.directory, "it is a directory"),
            (large, "it has more than 16 MiB"),
            (os.path.join(self.directory, "none"), "No such file or directory"),
        ]

    def test_configuration(self) -> None:
        """An endless device, a pipe without a writer or a huge file as configuration is refused at once."""
        for path, says in self.odd():
            error: ConfigurationError = self.assertRaises(ConfigurationError, load, path)
            self.assertIn(f"cannot read the file: {says}", str(error))

    def test_named_files(self) -> None:
        """The same as a file with a secret or a certificate."""
        for path, says in self.odd():
            self.assert_problem(KEY.format(path), 3, "[[api_key]] key_file", f'cannot read "{path}": {says}')

    def test_largest(self) -> None:
        """A file of exactly the largest size is read."""
        path = self.write("large", "")
        os.truncate(path, LARGEST_FILE)
        self.assertEqual(len(read_file(path).data), LARGEST_FILE)
        os.truncate(path, LARGEST_FILE + 1)
        self.assertRaises(UnreadableError, read_file, path)

    def test_files(self) -> None:
        """The configuration knows which files were read, and by which key."""
        self.write("k.key", "0123456789abcdef", 0o600)
        config = self.parse_text(APPLICATION + KEY.format("k.key"))
        self.assertEqual(config.files, ((("api_key", 0, "key_file"), os.path.join(self.directory, "k.key")),))
