"""One row of the table of APIs: what dispatch, ApiVersions and the generated docs are made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from godel.protocol.message import Message

API_VERSIONS_KEY = 18

Answer: TypeAlias = Message | bytes | None
"""A response, the body of one that is encoded already, or nothing at all (acks=0 Produce)."""

Handle: TypeAlias = Callable[[Any, Any], Answer | Awaitable[Answer]]
"""`(context, request) -> answer`, at once or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An API that this broker offers, and the function that answers it."""

    key: int
    name: str
    versions: tuple[int, int]
    """First and last version that ApiVersions advertises."""

    request: type[Message]
    response: type[Message]
    handle: Handle

    accepted_from: int | None = None
    """First version that is really accepted, where it is above the first advertised one."""

    pipelined: bool = False
    """The next request of the connection is taken while this one waits. All that depends on the
    order happens before `handle` returns, so it is no coroutine function."""

    waits_on_purpose: bool = False
    """Clients ask it to wait for records or for other members: its waiting is not slowness."""

    counts_errors: bool = False
    """Its handler counts the errors that it answers: to look through all of its answers for them
    would cost too much."""

    unsupported: Callable[[], bytes] | None = None
    """The body (response header v0) that answers versions which are not accepted; without it the
    connection is closed."""

    def accepts(self, version: int) -> bool:
        first, last = self.versions
        return (first if self.accepted_from is None else self.accepted_from) <= version <= last

    def has_flexible_request_header(self, version: int) -> bool:
        return version >= self.request.FLEXIBLE_SINCE

    def has_flexible_response_header(self, version: int) -> bool:
        """ApiVersions keeps the old header, for it is read before anything is negotiated."""
        return self.key != API_VERSIONS_KEY and version >= self.response.FLEXIBLE_SINCE
