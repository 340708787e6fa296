"""ApiVersions: what is offered, to whom, and what is not said. See also server/test_dispatch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from godel.broker.context import Endpoint, RequestContext
from godel.errors import ErrorCode
from godel.handlers import APIS
from godel.handlers.api_versions import Answers
from godel.protocol import codec
from godel.protocol.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse

OTHERS = [api for api in APIS if api.name != "ApiVersions"]


def context(version: int) -> RequestContext:
    identity = SimpleNamespace(
        node_id=7, metadata=SimpleNamespace(image=SimpleNamespace(cluster_id="cluster"))
    )
    made = RequestContext(cast(Any, identity), client_host="::1", listener=Endpoint("::1", 9092))
    made.version = version
    return made


def ask(version: int, **fields: Any) -> ApiVersionsResponse:
    named = {"client_software_name": "test", "client_software_version": "1.0.0-rc.1"}
    request = ApiVersionsRequest(**(named | fields))
    answer = Answers(OTHERS).handle(context(version), request)
    if isinstance(answer, bytes):
        return codec.decode(ApiVersionsResponse, answer, version)
    return codec.decode(ApiVersionsResponse, codec.encode(answer, version), version)


@pytest.mark.parametrize("version", range(6))
def test_every_row_of_the_table_is_offered(version: int) -> None:
    answer = ask(version)
    assert answer.error_code == ErrorCode.NONE
    assert [(api.api_key, (api.min_version, api.max_version)) for api in answer.api_keys] == [
        (api.key, api.versions) for api in APIS
    ]
    assert answer.supported_features == []
    assert answer.finalized_features_epoch == -1


def test_an_answer_is_encoded_once() -> None:
    answers = Answers(OTHERS)
    request = ApiVersionsRequest(client_software_name="a", client_software_version="1")
    assert answers.handle(context(3), request) is answers.handle(context(3), request)


@pytest.mark.parametrize("name", ["", "-a", "a-", ".", "a b", "a_b", "librdkafka\n", "é"])
@pytest.mark.parametrize("field", ["client_software_name", "client_software_version"])
def test_software_must_look_like_software(field: str, name: str) -> None:
    for version in (3, 4, 5):
        answer = ask(version, **{field: name})
        assert answer.error_code == ErrorCode.INVALID_REQUEST
        assert answer.api_keys == []
    assert ask(2, **{field: name}).error_code == ErrorCode.NONE


@pytest.mark.parametrize("name", ["a", "7", "apache-kafka-java", "1.0.0", "a--b..c"])
def test_names_that_look_like_software(name: str) -> None:
    assert ask(3, client_software_name=name).error_code == ErrorCode.NONE


@pytest.mark.parametrize(
    ("cluster_id", "node_id", "code"),
    [
        (None, -1, ErrorCode.NONE),
        ("cluster", 7, ErrorCode.NONE),
        ("cluster", 8, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("other", 7, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("", 7, ErrorCode.REBOOTSTRAP_REQUIRED),
        ("cluster", -1, ErrorCode.INVALID_REQUEST),
        (None, 7, ErrorCode.INVALID_REQUEST),
    ],
)
def test_a_client_that_means_somebody_else_is_sent_away(
    cluster_id: str | None, node_id: int, code: ErrorCode
) -> None:
    answer = ask(5, cluster_id=cluster_id, node_id=node_id)
    assert answer.error_code == code
    assert bool(answer.api_keys) == (code == ErrorCode.NONE)
    assert ask(4, cluster_id=cluster_id, node_id=node_id).error_code == ErrorCode.NONE


def test_an_unknown_version_learns_this_apis_range_only() -> None:
    answer = codec.decode(ApiVersionsResponse, Answers(OTHERS).unsupported(), 0)
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
    (own,) = answer.api_keys
    assert (own.api_key, own.min_version, own.max_version) == (18, 0, 5)
