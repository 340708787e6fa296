"""The map of keys to their last offsets."""

from __future__ import annotations

import tracemalloc

from godel.storage.key_map import DIGEST_BYTES, ENTRY_BYTES, LONGEST_PLAIN_BYTES, KeyMap


def test_only_the_last_offset_of_a_key_counts() -> None:
    keys = KeyMap(ENTRY_BYTES * 10)
    for length in (0, 1, DIGEST_BYTES, LONGEST_PLAIN_BYTES, LONGEST_PLAIN_BYTES + 1, 5000):
        key = b"k" * length
        assert not keys.is_superseded(key, 3)
        assert keys.put(key, 3)
        assert keys.put(key, 8)
        assert keys.is_superseded(key, 7)
        assert not keys.is_superseded(key, 8)
        assert not keys.is_superseded(key, 9)


def test_a_full_map_takes_no_further_key() -> None:
    keys = KeyMap(ENTRY_BYTES * 2)
    assert keys.put(b"a", 1)
    assert keys.put(b"b", 2)
    assert not keys.put(b"c", 3)
    assert keys.is_full
    assert keys.put(b"a", 4)
    assert len(keys) == 2
    assert KeyMap(1).put(b"a", 0), "there is room for one always: each pass gets on"


def test_its_memory_is_bounded_as_it_says() -> None:
    size = 2_000_000
    tracemalloc.start()
    try:
        keys = KeyMap(size)
        for number in range(20_000):
            keys.put(b"%040d" % number, number)
        used, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert keys.is_full
    assert used < size
    assert peak < size
