"""A partition's `partition.metadata`: the id of the topic that the folder belongs to (KIP-516)."""

from __future__ import annotations

import base64
import binascii

from godel.storage import layout
from godel.storage.checkpoint_file import DamagedCheckpoint, write_whole
from godel.storage.files import Files, join
from godel.types import TopicId

ID_LENGTH = 16
HEAD = "version: 0\ntopic_id: "


def id_text(raw: bytes) -> str:
    """An id as Kafka writes it: base64url without padding, 22 characters."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parse_id(text: str) -> bytes:
    """Raises ValueError."""
    try:
        raw = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != ID_LENGTH:
        raise ValueError(f"{text[:40]!r} is not the text of an id")
    return raw


def write_partition_metadata(files: Files, folder: str, topic_id: TopicId) -> None:
    """The name is not synced here: the log does so before the first record counts as durable."""
    text = f"{HEAD}{id_text(topic_id)}\n"
    write_whole(files, join(folder, layout.PARTITION_METADATA), text.encode())


def read_partition_metadata(files: Files, folder: str) -> TopicId | None:
    """None when there is no such file. Raises `DamagedCheckpoint`."""
    path = join(folder, layout.PARTITION_METADATA)
    try:
        text = files.read(path).decode(errors="replace")
    except FileNotFoundError:
        return None
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    try:
        if values.get("version") != "0":
            raise ValueError("version is not 0")
        return parse_id(values.get("topic_id", ""))
    except ValueError as problem:
        raise DamagedCheckpoint(f"{path}: {problem}") from None
