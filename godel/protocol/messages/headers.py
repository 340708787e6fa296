"""headers messages."""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class RequestHeader(Message, versions=(1, 2), flexible_since=2):
    """TODO."""

    request_api_key: int16 = 0
    request_api_version: int16 = 0
    correlation_id: int32 = 0
    client_id: string | None = field(classic=True)


class ResponseHeader(Message, versions=(0, 1), flexible_since=1):
    """TODO."""

    correlation_id: int32 = 0
