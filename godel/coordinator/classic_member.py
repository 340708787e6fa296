"""One member of a classic group (Kafka's `ClassicGroupMember`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from godel.protocol.messages.group_metadata import MemberMetadata
from godel.protocol.messages.join_group import JoinGroupRequest, JoinGroupResponseMember


@dataclass(frozen=True, slots=True)
class ClassicMember:
    """A value: the group replaces it. `protocols` keeps the member's order of preference."""

    id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocols: Mapping[str, bytes]
    assignment: bytes = b""
    is_new: bool = False
    """Has never got an answer to JoinGroup, so it cannot send heartbeats."""
    join_ticket: int | None = None
    sync_ticket: int | None = None

    @property
    def has_satisfied_heartbeat(self) -> bool:
        """A member that waits for us needs no heartbeat, unless it may have given up long ago."""
        return not self.is_new and (self.join_ticket is not None or self.sync_ticket is not None)

    def rejoining(self, request: JoinGroupRequest, ticket: int) -> ClassicMember:
        return replace(
            self,
            protocols=protocols_of(request),
            rebalance_timeout_ms=rebalance_timeout_ms(request),
            session_timeout_ms=request.session_timeout_ms,
            join_ticket=ticket,
        )

    def to_record(self, protocol: str | None, assignment: bytes) -> MemberMetadata:
        return MemberMetadata(
            member_id=self.id,
            group_instance_id=self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout=self.rebalance_timeout_ms,
            session_timeout=self.session_timeout_ms,
            subscription=self.protocols.get(protocol or "", b""),
            assignment=assignment,
        )

    def for_leader(self, protocol: str | None) -> JoinGroupResponseMember:
        return JoinGroupResponseMember(
            member_id=self.id,
            group_instance_id=self.instance_id,
            metadata=self.protocols.get(protocol or "", b""),
        )


def from_record(record: MemberMetadata, protocol: str | None) -> ClassicMember:
    """A member as a restarted broker knows it: only the chosen protocol's metadata is stored."""
    return ClassicMember(
        id=record.member_id,
        instance_id=record.group_instance_id,
        client_id=record.client_id,
        client_host=record.client_host,
        rebalance_timeout_ms=(
            record.session_timeout if record.rebalance_timeout < 0 else record.rebalance_timeout
        ),
        session_timeout_ms=record.session_timeout,
        protocols={protocol or "": bytes(record.subscription)},
        assignment=bytes(record.assignment),
    )


def protocols_of(request: JoinGroupRequest) -> dict[str, bytes]:
    """Own copies: the request's bytes may be views of a connection's buffer."""
    protocols: dict[str, bytes] = {}
    for protocol in request.protocols:
        protocols.setdefault(protocol.name, bytes(protocol.metadata))
    return protocols


def rebalance_timeout_ms(request: JoinGroupRequest) -> int:
    """v0 has no rebalance timeout: the session timeout stands in."""
    if request.rebalance_timeout_ms < 0:
        return request.session_timeout_ms
    return request.rebalance_timeout_ms
