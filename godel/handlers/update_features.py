"""UpdateFeatures (key 57): set the finalized level of features (KIP-584).

v1: validate_only and the kind of change, in place of allow_downgrade. v2: no results per feature.
No feature is advertised yet, so each is unknown: the first that fails answers for all of them, with
INVALID_UPDATE_VERSION at the top, as in Kafka 4. Deviation: not even metadata.version and
kraft.version are known.
"""

from __future__ import annotations

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.protocol.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

UPGRADE_TYPES = (1, 2, 3)


def handle(_context: RequestContext, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    if not request.feature_updates:
        return UpdateFeaturesResponse(error_message=None)
    update = request.feature_updates[0]
    return UpdateFeaturesResponse(
        error_code=ErrorCode.INVALID_UPDATE_VERSION,
        error_message=f"Nothing was updated. {update.feature!r} cannot be set to level"
        f" {update.max_version_level}: {problem(update)}",
    )


def problem(update: FeatureUpdateKey) -> str:
    if update.upgrade_type not in UPGRADE_TYPES:
        return f"there is no upgrade type {update.upgrade_type}."
    if update.max_version_level < 0:
        return "levels begin with 0."
    if update.max_version_level == 0:
        return "it is not finalized, so it cannot be taken back."
    return "this broker does not know the feature."
