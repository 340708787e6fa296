"""Names and ids of topics: what is legal, collides or is reserved (Kafka's `Topic`, `Uuid`).

An id's text form is the 22 characters of unpadded base64url. Ids whose text would begin with `-`
are not given out (a command line would take them for an option), nor are the reserved ones.
"""

from __future__ import annotations

import base64
import binascii
import re

from godel.clock import Randomness
from godel.errors import ApiError, ErrorCode
from godel.types import ZERO_ID, TopicId

MAX_NAME_LENGTH = 249
LEGAL_NAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)

CONSUMER_OFFSETS = "__consumer_offsets"
TRANSACTION_STATE = "__transaction_state"
SHARE_GROUP_STATE = "__share_group_state"
CLUSTER_METADATA = "__cluster_metadata"
INTERNAL_TOPICS = frozenset({CONSUMER_OFFSETS, TRANSACTION_STATE, SHARE_GROUP_STATE})

ONE_ID: TopicId = bytes(15) + b"\x01"
RESERVED_IDS = frozenset({ZERO_ID, ONE_ID})


def new_id(randomness: Randomness) -> TopicId:
    """A random id that may be given out."""
    while True:
        topic_id = randomness.uuid_bytes()
        if topic_id not in RESERVED_IDS and not id_text(topic_id).startswith("-"):
            return topic_id


def id_text(topic_id: TopicId) -> str:
    """An id as Kafka's tools print it."""
    return base64.urlsafe_b64encode(topic_id).decode("ascii").rstrip("=")


def parse_id(text: str) -> TopicId:
    """The id of a text. Raises ValueError."""
    if len(text) != 22 or not text.isascii():
        raise ValueError(f"{text!r} is not the text of an id: it has 22 characters")
    try:
        raw = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text!r} is not the text of an id: {error}") from None
    if id_text(raw) != text:
        raise ValueError(f"{text!r} is not the text of an id: it is not the canonical one")
    return raw


def name_problem(name: str) -> str | None:
    """Why a topic cannot have this name; None when it can."""
    if not name:
        return "Topic name is illegal, it can't be empty"
    if name in (".", ".."):
        return "Topic name cannot be '.' or '..'"
    if len(name) > MAX_NAME_LENGTH:
        return (
            f"Topic name is illegal, it can't be longer than {MAX_NAME_LENGTH} characters:"
            f" it has {len(name)}"
        )
    if LEGAL_NAME.fullmatch(name) is None:
        return (
            f"Topic name {name!r} is illegal, it contains a character other than"
            " ASCII alphanumerics, '.', '_' and '-'"
        )
    return None


def check_name(name: str) -> None:
    """Raises `ApiError` INVALID_TOPIC_EXCEPTION."""
    problem = name_problem(name)
    if problem is not None:
        raise ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)


def may_collide(name: str) -> bool:
    """Whether `.` and `_`, which are one in the names of metrics, occur."""
    return "." in name or "_" in name


def collision_form(name: str) -> str:
    """Names with the same form collide."""
    return name.replace(".", "_")


def is_internal(name: str) -> bool:
    return name in INTERNAL_TOPICS
