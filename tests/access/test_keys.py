"""API keys: making, recognizing, their files (http.md section 13, configuration.md section 5)."""

import os
import stat
import tomllib

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.key_file import KeyFileError, create_key
from ocsgw.access.keys import KeyMark, KeyRing, digest_bytes, digest_of, is_digest, make_key, salted

_SALT = bytes(16)


def mark(name: str, key: str, expires: int | None = None) -> KeyMark:
    """Return what a proxy knows of a key."""
    return KeyMark(name, _SALT.hex(), salted(_SALT, digest_bytes(digest_of(key))).hex(), expires)


class KeyTests(SynchronousTestCase):
    """H342, H347."""

    def test_make(self) -> None:
        """Section 5: a key has 256 random bits, fits a key file and a header, and is never made twice."""
        keys = {make_key() for _ in range(100)}
        self.assertEqual(len(keys), 100)
        for key in keys:
            self.assertRegex(key, r"\Aocsgw_[A-Za-z0-9_-]{43}\Z")

    def test_digest(self) -> None:
        """Section 5: the digest of a key is its SHA-256, and no key is taken for one."""
        digest = digest_of("0123456789abcdef")
        self.assertEqual(digest, "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f")
        self.assertEqual(digest_bytes(digest).hex(), digest[7:])
        for text in (digest[7:], digest[:-1], f"{digest}0", digest.replace("f", "g"), "sha256:", make_key()):
            self.assertFalse(is_digest(text), text)
            self.assertRaises(ValueError, digest_bytes, text)

    def test_owner(self) -> None:
        """H342: the ring tells whose key it is; the digest of a key, or its hash, is no key."""
        ring = KeyRing(
            [mark("crm", "old key of the crm"), mark("crm", "new key of the crm"), mark("ivr", "key of ivr")]
        )
        for key, owner in (
            ("old key of the crm", "crm"),
            ("new key of the crm", "crm"),
            ("key of ivr", "ivr"),
            ("key of ivr.", None),
            ("", None),
            (digest_of("key of ivr"), None),
        ):
            self.assertEqual(ring.owner_of(b"Bearer " + key.encode(), 0), owner)
        self.assertIsNone(ring.owner_of(None, 0))
        self.assertFalse(KeyRing([]))

    def test_expired(self) -> None:
        """Section 5: from the moment of `expires` on a key is as good as none; another of the same name goes on."""
        ring = KeyRing([mark("crm", "old", 1000), mark("crm", "new")])
        self.assertEqual(ring.owner_of(b"Bearer old", 999.9), "crm")
        self.assertIsNone(ring.owner_of(b"Bearer old", 1000))
        self.assertEqual(ring.owner_of(b"Bearer new", 1000), "crm")


class KeyFileTests(SynchronousTestCase):
    """`ocsgw key create`."""

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())

    def test_create(self) -> None:
        """C6: the file is for its owner only and has the SHA-256, not the key; the lines name it."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        made = create_key("crm", self.directory)
        self.assertEqual(made.path, os.path.join(self.directory, "keys", "crm.key"))
        self.assertEqual(stat.S_IMODE(os.stat(made.path).st_mode), 0o600)
        with open(made.path, encoding="ascii") as file:
            self.assertEqual(file.read(), f"{digest_of(made.key)}\n")
        self.assertEqual(tomllib.loads(made.lines), {"api_key": [{"name": "crm", "key_file": "keys/crm.key"}]})

    def test_never_overwrites(self) -> None:
        """A file is not overwritten, unless by force, and then the old key counts no longer."""
        made = create_key("crm", self.directory)
        error = self.assertRaises(KeyFileError, create_key, "crm", self.directory)
        self.assertIn("--force", str(error))
        with open(made.path, encoding="ascii") as file:
            self.assertEqual(file.read().strip(), digest_of(made.key))
        again = create_key("crm", self.directory, force=True)
        with open(made.path, encoding="ascii") as file:
            self.assertEqual(file.read().strip(), digest_of(again.key))
        self.assertEqual(os.listdir(os.path.dirname(made.path)), ["crm.key"])

    def test_file(self) -> None:
        """C7: another file is relative to the directory of the configuration; it serves a second key."""
        made = create_key("crm", self.directory, "next.key")
        self.assertEqual(made.path, os.path.join(self.directory, "next.key"))
        self.assertEqual(tomllib.loads(made.lines)["api_key"][0]["key_file"], "next.key")

    def test_hostile_name(self) -> None:
        """A name leads to no file elsewhere, and stands in the lines as it is."""
        for name in ("../../etc/passwd", "a/b", 'quo"te\\', "Liste été", ".."):
            made = create_key(name, self.directory)
            self.assertEqual(os.path.dirname(made.path), os.path.join(self.directory, "keys"))
            self.assertEqual(tomllib.loads(made.lines)["api_key"][0]["name"], name)

    def test_not_writable(self) -> None:
        """A file that cannot be written is reported with its name and a remedy."""
        os.makedirs(self.directory)
        error = self.assertRaises(KeyFileError, create_key, "crm", self.directory, "/proc/none/crm.key")
        self.assertIn("/proc/none", str(error))
        self.assertIn("--file", str(error))
