"""UpdateFeatures (key 57): set the finalized level of features (KIP-584)."""

from __future__ import annotations

from godel.protocol.message import Message, field, since, until
from godel.protocol.types import int8, int16, int32, string


class UpdateFeaturesRequest(Message, api_key=57, versions=(0, 2), flexible_since=0):
    """Which features, to which level."""

    timeout_ms: int32 = 60000
    feature_updates: list[FeatureUpdateKey] = field()
    validate_only: bool = since(1)


class FeatureUpdateKey(Message):
    """One feature."""

    feature: string = ""
    max_version_level: int16 = 0  # below 1: delete
    allow_downgrade: bool = until(0)
    upgrade_type: int8 = since(1, default=1)  # 1 up, 2 down without loss, 3 down with loss


class UpdateFeaturesResponse(Message, api_key=57, versions=(0, 2), flexible_since=0):
    """What became of it."""

    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: string | None = ""
    results: list[UpdatableFeatureResult] = until(1, ignorable=True)


class UpdatableFeatureResult(Message):
    """The outcome for one feature."""

    feature: string = ""
    error_code: int16 = 0
    error_message: string | None = ""
