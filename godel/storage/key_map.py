"""The last offset of every key in the part of a log that is about to be compacted.

Its memory is bounded: what does not fit is left to another pass. Short keys stand for themselves,
others for a digest of 16 bytes; no key of 16 bytes stands for itself, so the two never meet.
Plays the part of Kafka's `SkimpyOffsetMap`.
"""

from __future__ import annotations

from hashlib import blake2b

ENTRY_BYTES = 256
"""What a key takes at most: itself, an integer, and its share of a table that has just grown."""
DIGEST_BYTES = 16
LONGEST_PLAIN_BYTES = 32


class KeyMap:
    """One pass over one log fills it."""

    __slots__ = ("_capacity", "_offsets", "is_full")

    def __init__(self, memory_bytes: int) -> None:
        self._capacity = max(memory_bytes // ENTRY_BYTES, 1)
        self._offsets: dict[bytes, int] = {}
        self.is_full = False

    def __len__(self) -> int:
        return len(self._offsets)

    def put(self, key: bytes, offset: int) -> bool:
        """Note a record; offsets rise. False: there is no room for another key."""
        if len(key) == DIGEST_BYTES or len(key) > LONGEST_PLAIN_BYTES:
            key = blake2b(key, digest_size=DIGEST_BYTES).digest()
        offsets = self._offsets
        if len(offsets) >= self._capacity and key not in offsets:
            self.is_full = True
            return False
        offsets[key] = offset
        return True

    def is_superseded(self, key: bytes, offset: int) -> bool:
        """Whether a later record has this key."""
        if len(key) == DIGEST_BYTES or len(key) > LONGEST_PLAIN_BYTES:
            key = blake2b(key, digest_size=DIGEST_BYTES).digest()
        return self._offsets.get(key, -1) > offset
