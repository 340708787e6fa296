"""What a group collects while it decides, and what all groups of a coordinator share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from godel.clock import Randomness
from godel.coordinator.classic_member import ClassicMember
from godel.coordinator.decision import Wake
from godel.coordinator.records import GroupCoordinatorRecord
from godel.coordinator.settings import GroupSettings
from godel.errors import ErrorCode
from godel.protocol.messages.join_group import JoinGroupResponse
from godel.protocol.messages.sync_group import SyncGroupResponse


class GroupEnvironment:
    """Settings, ids and tickets. `settings` is replaced when a dynamic setting changes."""

    def __init__(self, settings: GroupSettings, randomness: Randomness) -> None:
        self.settings = settings
        self._randomness = randomness
        self._tickets: Iterator[int] = count(1)

    def new_ticket(self) -> int:
        return next(self._tickets)

    def new_uuid(self) -> str:
        text = self._randomness.uuid_bytes().hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(slots=True)
class Draft:
    """The records and wakes of a decision in the making."""

    records: list[GroupCoordinatorRecord] = field(default_factory=list)
    wakes: list[Wake] = field(default_factory=list)

    def answer_join(self, member: ClassicMember, reply: JoinGroupResponse) -> None:
        if member.join_ticket is not None:
            self.wakes.append(Wake(member.join_ticket, reply))

    def answer_sync(self, member: ClassicMember, reply: SyncGroupResponse) -> None:
        if member.sync_ticket is not None:
            self.wakes.append(Wake(member.sync_ticket, reply))

    def dismiss(self, member: ClassicMember) -> None:
        """The member is removed: whatever it waits for ends with UNKNOWN_MEMBER_ID."""
        self.answer_join(member, refuse_join("", ErrorCode.UNKNOWN_MEMBER_ID))
        self.answer_sync(member, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))

    def fence(self, member: ClassicMember) -> None:
        """Another process took over the member's instance id (KIP-345)."""
        self.answer_join(member, refuse_join(member.id, ErrorCode.FENCED_INSTANCE_ID))
        self.answer_sync(member, SyncGroupResponse(error_code=ErrorCode.FENCED_INSTANCE_ID))

    def supersede_join(self, member: ClassicMember) -> None:
        """The member asks again, so nobody waits for the first answer any more; Kafka forgets it.

        A client that does wait takes this as a reason to join again.
        """
        self.answer_join(member, refuse_join(member.id, ErrorCode.REBALANCE_IN_PROGRESS))


def refuse_join(member_id: str, error: ErrorCode) -> JoinGroupResponse:
    return JoinGroupResponse(error_code=error, member_id=member_id, protocol_name=None)
