"""CRC-32C (Castagnoli), the checksum of record batches and of Kafka's snapshot files.

The C extension uses the processor's instruction where there is one and reads any buffer in place.
It lets other threads run during long buffers by itself.

Its package asks importlib.metadata for its own version, which costs 15 ms; a start is spared them,
for the extension is imported when `crc.crc32c` is first asked for: by the first batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crc32c import crc32c

__all__ = ["crc32c"]


def __getattr__(name: str) -> Any:
    """Called once, for `crc32c`: from then on the module has it."""
    if name != "crc32c":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from crc32c import crc32c

    globals()[name] = crc32c
    return crc32c
