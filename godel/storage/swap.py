"""How a compacted segment takes the place of those it was made from, safe against a crash anywhere.

    1. the copy is written as `X.log.cleaned` (and its indexes) and synced
    2. it is renamed to `X.log.swap`, the log last: from here on the next start completes it
    3. the old segments are renamed to `.deleted`; readers use the copy
    4. the copy gets its name, `X.log`

Between the steps the folder is synced. Before 2 the next start throws the copy away. An old segment
wholly behind the copy's last offset may stay then; it overlaps with nothing, and the pass is
repeated, since it is noted in the cleaner's checkpoint only when all of it is on disk.
Source: Kafka's `UnifiedLog.replaceSegments` and `LogLoader`.
"""

from __future__ import annotations

from collections.abc import Sequence

from godel.records.batch import HEADER_SIZE, parse_header
from godel.storage import layout
from godel.storage.files import Files, join

COPY_SUFFIXES = (
    layout.OFFSET_INDEX,
    layout.TIME_INDEX,
    layout.TRANSACTION_INDEX,
    layout.LOG,
)
"""In the order in which they are renamed: whoever finds the log finds its indexes, too.

Of the transaction index there may be none.
"""


def copy_paths(folder: str, base_offset: int, ending: str) -> list[str]:
    return [join(folder, layout.segment_file(base_offset, one) + ending) for one in COPY_SUFFIXES]


def rename_copy(files: Files, folder: str, base_offset: int, *, before: str, after: str) -> None:
    """Steps 2 and 4. Raises OSError."""
    sources = copy_paths(folder, base_offset, before)
    for source, target in zip(sources, copy_paths(folder, base_offset, after), strict=True):
        if layout.TRANSACTION_INDEX not in source or files.exists(source):
            files.replace(source, target)


def complete_swaps(files: Files, folder: str, names: Sequence[str]) -> bool:
    """At the start: finish what a crash has interrupted. True: something was done."""
    swaps = [name.removesuffix(layout.SWAP) for name in names if name.endswith(layout.SWAP)]
    parsed = [one for one in map(layout.parse_segment_file, swaps) if one is not None]
    bases = sorted(one.base_offset for one in parsed if one.suffix == layout.LOG)
    for base_offset in bases:
        path = join(folder, layout.segment_file(base_offset, layout.LOG) + layout.SWAP)
        end_offset = _end_of(files, path, base_offset)
        for name in names:
            old = layout.parse_segment_file(name)
            if (
                old is not None
                and old.suffix in layout.SEGMENT_SUFFIXES
                and base_offset <= old.base_offset < end_offset
            ):
                files.remove(join(folder, name))
        files.sync_folder(folder)
        for suffix in COPY_SUFFIXES:
            target = join(folder, layout.segment_file(base_offset, suffix))
            if files.exists(target + layout.SWAP):
                files.replace(target + layout.SWAP, target)
    for base_offset, suffix in parsed:
        if base_offset not in bases:
            files.remove(join(folder, layout.segment_file(base_offset, suffix) + layout.SWAP))
    if parsed:
        files.sync_folder(folder)
    return bool(parsed)


def _end_of(files: Files, path: str, base_offset: int) -> int:
    """Behind the last batch of a copy, which was synced before it got its name."""
    file = files.open(path)
    position, end_offset = 0, base_offset + 1
    while position < file.size:
        header = parse_header(file.pread(position, HEADER_SIZE))
        position += header.size_bytes
        end_offset = header.next_offset
    file.close()
    return end_offset
