"""ApiVersions (key 18): which APIs and versions this broker offers.

The response header has no tagged fields in any version, since the client reads it before anything
is agreed (KIP-511). A version that we do not know is answered in the layout of version 0 with
UNSUPPORTED_VERSION and a single entry, this API's own range, so that the client can try again.
v3: flexible; name and version of the client's software must look like ones. v5 (KIP-1242): a
client that means another cluster or node learns REBOOTSTRAP_REQUIRED. No features are told until
what stands behind them exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from godel.broker.context import RequestContext
from godel.errors import ErrorCode
from godel.protocol import codec
from godel.protocol.api import API_VERSIONS_KEY, Api
from godel.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
)

VERSIONS = (0, 5)
SOFTWARE_NAMED_SINCE = 3
TARGET_NAMED_SINCE = 5

SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


def with_api_versions(apis: Iterable[Api]) -> tuple[Api, ...]:
    """The whole table: `apis` and the row that tells about all of them, in the order of keys."""
    listed = list(apis)
    answers = Answers(listed)
    own = Api(
        key=API_VERSIONS_KEY,
        name="ApiVersions",
        versions=VERSIONS,
        request=ApiVersionsRequest,
        response=ApiVersionsResponse,
        handle=answers.handle,
        unsupported=answers.unsupported,
    )
    return tuple(sorted([*listed, own], key=lambda api: api.key))


class Answers:
    """The answers, each version's encoded once."""

    def __init__(self, others: Iterable[Api]) -> None:
        self._own = ApiVersion(API_VERSIONS_KEY, *VERSIONS)
        self._entries = sorted(
            [self._own, *(ApiVersion(api.key, *api.versions) for api in others)],
            key=lambda entry: entry.api_key,
        )
        self._encoded: dict[int, bytes] = {}

    def handle(
        self, context: RequestContext, request: ApiVersionsRequest
    ) -> ApiVersionsResponse | bytes:
        version = context.version
        if version >= SOFTWARE_NAMED_SINCE and not (
            SOFTWARE.fullmatch(request.client_software_name)
            and SOFTWARE.fullmatch(request.client_software_version)
        ):
            return ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST)
        if version >= TARGET_NAMED_SINCE:
            code = wrong_target(context, request)
            if code is not None:
                return ApiVersionsResponse(error_code=code)
        encoded = self._encoded.get(version)
        if encoded is None:
            response = ApiVersionsResponse(api_keys=self._entries)
            encoded = self._encoded[version] = codec.encode(response, version)
        return encoded

    def unsupported(self) -> bytes:
        """What a version that we do not know is answered, in the layout of version 0."""
        response = ApiVersionsResponse(
            error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=[self._own]
        )
        return codec.encode(response, 0)


def wrong_target(context: RequestContext, request: ApiVersionsRequest) -> ErrorCode | None:
    """Whether the client means somebody else; it names cluster and node, or neither."""
    if (request.cluster_id is None) != (request.node_id == -1):
        return ErrorCode.INVALID_REQUEST
    if request.cluster_id is None:
        return None
    broker = context.broker
    if request.cluster_id != broker.metadata.image.cluster_id or request.node_id != broker.node_id:
        return ErrorCode.REBOOTSTRAP_REQUIRED
    return None
