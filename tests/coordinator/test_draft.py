"""What a decision in the making collects."""

from __future__ import annotations

from dataclasses import replace

from godel.clock import Randomness
from godel.coordinator.draft import Draft, GroupEnvironment, refuse_join
from godel.coordinator.settings import GroupSettings
from godel.errors import ErrorCode
from godel.protocol.messages.sync_group import SyncGroupResponse
from tests.coordinator.test_classic_member import MEMBER


def test_ids_are_uuids_and_tickets_are_new() -> None:
    environment = GroupEnvironment(GroupSettings(), Randomness(1))
    parts = environment.new_uuid().split("-")
    assert [len(part) for part in parts] == [8, 4, 4, 4, 12]
    assert parts[2][0] == "4"
    assert environment.new_ticket() != environment.new_ticket()


def test_nobody_who_does_not_wait_is_woken() -> None:
    draft = Draft()
    draft.dismiss(MEMBER)
    draft.fence(MEMBER)
    draft.supersede_join(MEMBER)
    assert draft.wakes == []


def test_every_wait_ends() -> None:
    draft = Draft()
    draft.dismiss(replace(MEMBER, join_ticket=1, sync_ticket=2))
    unknown = ErrorCode.UNKNOWN_MEMBER_ID
    assert draft.wakes == [
        (1, refuse_join("", unknown)),
        (2, SyncGroupResponse(error_code=unknown)),
    ]
