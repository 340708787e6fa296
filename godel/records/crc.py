"""CRC-32C (Castagnoli), the checksum of record batches and of Kafka's snapshot files.

The C extension uses the processor's instruction where there is one and reads any buffer in place.
It lets other threads run during long buffers by itself.
"""

from __future__ import annotations

from crc32c import crc32c

__all__ = ["crc32c"]
