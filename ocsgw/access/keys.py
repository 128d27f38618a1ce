"""API keys: how they are made, kept as digests, and recognized (http.md H342, H347; configuration.md section 5)."""

import hashlib
import hmac
import re
import secrets
from typing import Final

# Marks a key as one of ours for programs that look for leaked secrets.
_PREFIX: Final = "ocsgw_"
_BYTES: Final = 32
_DIGEST: Final = re.compile(r"sha256:([0-9A-Fa-f]{64})")


def make_key() -> str:
    """Return a new key: 256 random bits that may stand in a header as they are (RFC 6750, b64token)."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def digest_of(key: str) -> str:
    """Return what a key file may hold instead of the key: `sha256:` and 64 hexadecimal digits.

    A key has 256 bits, so nothing slow and no salt is needed to keep it from being found out.
    """
    return f"sha256:{hashlib.sha256(key.encode('utf-8')).hexdigest()}"


def is_digest(text: str) -> bool:
    """Whether a text is the digest of a key and not a key."""
    return _DIGEST.fullmatch(text) is not None


def digest_bytes(digest: str) -> bytes:
    """Return the 32 bytes of a digest. Raises `ValueError` for a text that is none."""
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ValueError("no SHA-256 of a key")
    return bytes.fromhex(found[1])


def salted(salt: bytes, digest: bytes) -> bytes:
    """Return the digest of a key as it crosses the link: SHA-256 over the salt and the digest (protocol.md 7)."""
    return hashlib.sha256(salt + digest).digest()


class KeyMark:
    """Enough of a key to recognize it: a salted hash. `expires` is in seconds since 1970 UTC, None for never.

    Raises `ValueError` for a salt or hash that is not hexadecimal.
    """

    __slots__ = ("_hash", "_salt", "expires", "name")

    def __init__(self, name: str, salt: str, salted_hash: str, expires: int | None = None) -> None:
        self.name = name
        self.expires = expires
        self._salt = bytes.fromhex(salt)
        self._hash = bytes.fromhex(salted_hash)

    def fits(self, digest: bytes) -> bool:
        """Whether `digest`, the SHA-256 of what a client has sent, is that of this key; in constant time (H342)."""
        return hmac.compare_digest(salted(self._salt, digest), self._hash)

    def has_expired(self, now: float) -> bool:
        """Whether the key counts no longer at `now`, in seconds since 1970 UTC."""
        return self.expires is not None and now >= self.expires


class KeyRing:
    """The keys that count on a listener."""

    def __init__(self, marks: list[KeyMark]) -> None:
        self._marks = marks
        # Whose keys have been shown, by their digests: a salted hash for each key and request would add up.
        self._recognized: dict[bytes, KeyMark] = {}

    def __bool__(self) -> bool:
        return bool(self._marks)

    def owner_of(self, authorization: bytes | None, now: float) -> str | None:
        """Return whose key the value of an `Authorization` header has, None if it has none that counts at `now`.

        All keys are compared with one that is not known yet, so that the time reveals nothing.
        """
        scheme, _, credentials = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        return self.owner_of_digest(hashlib.sha256(credentials.strip(b" ")).digest(), now)

    def owner_of_digest(self, digest: bytes, now: float) -> str | None:
        """Return whose key has the SHA-256 `digest`, None if no key that counts at `now` has it."""
        found = self._recognized.get(digest)
        if found is None:
            for mark in self._marks:
                if mark.fits(digest):
                    found = self._recognized[digest] = mark
        return None if found is None or found.has_expired(now) else found.name
