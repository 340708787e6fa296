"""The way to the codecs: what needs none has none loaded. The codecs: `test_codecs.py`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from godel.errors import CorruptBatch
from godel.records.compression import Compression, compress, decompress


def test_without_a_codec_bytes_stay_as_they_are() -> None:
    data = memoryview(b"some records")
    assert compress(Compression.NONE, data) == b"some records"
    assert decompress(Compression.NONE, data, max_bytes=12) == b"some records"
    with pytest.raises(CorruptBatch, match="limit 11"):
        decompress(Compression.NONE, data, max_bytes=11)


@pytest.mark.parametrize("codec", [Compression.GZIP, Compression.LZ4, Compression.ZSTD])
def test_level_minus_one_is_the_codecs_default(codec: Compression) -> None:
    assert compress(codec, b"some records", -1) == compress(codec, b"some records", None)


@pytest.mark.slow
def test_the_library_is_loaded_when_first_needed() -> None:
    script = (
        "import sys; from godel.records.compression import Compression, compress;"
        "compress(Compression.NONE, b'a'); print('cramjam' in sys.modules);"
        "compress(Compression.ZSTD, b'a'); print('cramjam' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "True"]
