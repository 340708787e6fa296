"""A row of the table: which versions it takes, and which headers go with them."""

from __future__ import annotations

import pytest

from godel.protocol.api import Api
from godel.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from godel.protocol.messages.produce import ProduceRequest, ProduceResponse

PRODUCE = Api(
    key=0,
    name="Produce",
    versions=(0, 11),
    accepted_from=3,
    request=ProduceRequest,
    response=ProduceResponse,
    handle=lambda _context, _request: None,
)
API_VERSIONS = Api(
    key=18,
    name="ApiVersions",
    versions=(0, 5),
    request=ApiVersionsRequest,
    response=ApiVersionsResponse,
    handle=lambda _context, _request: None,
)


@pytest.mark.parametrize(("api", "accepted"), [(PRODUCE, range(3, 12)), (API_VERSIONS, range(6))])
def test_versions_outside_of_the_range_are_not_accepted(api: Api, accepted: range) -> None:
    assert [version for version in range(-2, 20) if api.accepts(version)] == list(accepted)


def test_headers_are_flexible_from_the_flexible_version() -> None:
    assert [PRODUCE.has_flexible_request_header(version) for version in (8, 9)] == [False, True]
    assert [PRODUCE.has_flexible_response_header(version) for version in (8, 9)] == [False, True]


def test_the_response_header_of_api_versions_is_never_flexible() -> None:
    assert API_VERSIONS.has_flexible_request_header(3)
    assert not any(API_VERSIONS.has_flexible_response_header(version) for version in range(6))
