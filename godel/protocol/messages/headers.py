"""What stands before every request and response.

Header versions are not API versions: requests use 2 and responses 1 where the API version is
flexible, and 1 and 0 where it is not. ApiVersions responses always use 0.
"""

from __future__ import annotations

from godel.protocol.message import Message, field
from godel.protocol.types import int16, int32, string


class RequestHeader(Message, versions=(1, 2), flexible_since=2):
    """Which API and version follows. v1 is classic, v2 flexible."""

    request_api_key: int16 = 0
    request_api_version: int16 = 0
    correlation_id: int32 = 0
    client_id: string | None = field(classic=True)  # KIP-511: readable before versions are agreed


class ResponseHeader(Message, versions=(0, 1), flexible_since=1):
    """Which request this answers. v0 is classic, v1 flexible."""

    correlation_id: int32 = 0
