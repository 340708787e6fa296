"""What a handler knows about the request besides the request itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from godel.broker.broker import Broker


ANONYMOUS = "ANONYMOUS"
"""The user, while there is no authentication."""


class Endpoint(NamedTuple):
    """Where clients of a listener are told to connect: never the address they dialled."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RequestContext:
    """The request's surroundings. One per connection.

    `version`, `client_id` and the times are the request's: a handler that waits takes what it needs
    of them before its first await.
    """

    __slots__ = (
        "began_s",
        "broker",
        "client_host",
        "client_id",
        "listener",
        "queue_s",
        "user",
        "version",
    )

    def __init__(self, broker: Broker, *, client_host: str, listener: Endpoint) -> None:
        self.broker = broker
        self.client_host = client_host
        self.listener = listener
        self.user = ANONYMOUS
        self.client_id: str | None = None
        self.version = 0
        self.began_s = 0.0
        """When it was taken up, as `Clock.elapsed_s` tells."""
        self.queue_s = 0.0
        """For how long it could not be taken up before, in the way of an earlier one."""
