"""The other end of remote.py, in Python: a client of an environment of its own answers questions.

It imports only what needs no package, as the environment has the client and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from compat_tests.client import BrokerError, Client
from compat_tests.packing import packed_record, unpacked_record


def answer(
    client: Client, more: Mapping[str, Callable[..., object]], question: dict[str, object]
) -> object:
    op = question.pop("op")
    if op in more:
        return more[op](**question)
    if "records" in question:
        question["records"] = [unpacked_record(parts) for parts in question["records"]]
    result = getattr(client, op)(**question)
    return [packed_record(record) for record in result] if op == "consume" else result


def serve(client: Client, more: Mapping[str, Callable[..., object]]) -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        try:
            reply: dict[str, object] = {"result": answer(client, more, json.loads(line))}
        except BrokerError as error:
            reply = {"error": {"code": error.code, "text": str(error)}}
        except Exception as error:  # noqa: BLE001  # the test that asked says what is wrong
            reply = {"error": {"code": None, "text": repr(error)}}
        print(json.dumps(reply), flush=True)
