"""UpdateFeatures over the wire, in every version: no feature is known."""

from __future__ import annotations

import pytest

from godel.errors import ErrorCode
from godel.protocol.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from tests.wire import Client


@pytest.mark.parametrize("version", range(3))
@pytest.mark.parametrize("level", [-1, 0, 1, 30])
def test_unknown_features(client: Client, version: int, level: int) -> None:
    request = UpdateFeaturesRequest(feature_updates=[FeatureUpdateKey("metadata.version", level)])
    response = client.send(request, version)
    assert response.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert "metadata.version" in response.error_message
    assert response.results == []


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("upgrade_type", [0, 4, -1])
def test_unknown_kinds_of_change(client: Client, version: int, upgrade_type: int) -> None:
    update = FeatureUpdateKey("f", 1, upgrade_type=upgrade_type)
    response = client.send(UpdateFeaturesRequest(feature_updates=[update]), version)
    assert response.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert str(upgrade_type) in response.error_message


@pytest.mark.parametrize("version", range(3))
def test_nothing_to_do_is_done(client: Client, version: int) -> None:
    response = client.send(UpdateFeaturesRequest(), version)
    assert (response.error_code, response.error_message) == (0, None)
