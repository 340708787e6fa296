"""The bounds of a listener and its connections."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Defaults are Kafka's where Kafka has the setting."""

    max_request_bytes: int = 100 * MIB
    """socket.request.max.bytes"""

    max_connections: int = 2**31 - 1
    """max.connections"""

    max_connections_per_ip: int = 2**31 - 1
    """max.connections.per.ip"""

    max_idle_ms: float = 600_000
    """connections.max.idle.ms; negative: for ever."""

    queued_request_bytes: int = 512 * MIB
    """queued.max.request.bytes: above it no new request is read; negative: no limit. Kafka has
    none by default, we keep this one when the setting is -1."""

    max_stalled_ms: float = 30_000
    """A peer that takes none of its answers for so long is disconnected; so is one that does not go
    on with a large request while the memory reserved for it keeps others out."""

    write_buffer_bytes: int = 256 * KIB
    """With more than this unsent, no further request of the connection is taken."""

    max_write_buffer_bytes: int = 256 * MIB
    """With more than this unsent, of several answers, the connection is dropped."""

    unsent_answers_bytes: int = 1024 * MIB
    """Of all connections together; above it those that have been behind for longest are dropped."""

    read_ahead_bytes: int = 64 * KIB
    """Requests kept while an earlier one of the connection waits; then reading stops."""

    max_answers_waiting: int = 1_000
    """Pipelined requests of one connection that may wait for their answers."""

    close_deadline_ms: float = 5_000
    """A closing listener drops the connections that have not finished by then."""
