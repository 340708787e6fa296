"""The other end of serving.py, in Python: a client of an environment of its own answers questions.

It imports only what needs no package, as the environment has the client and nothing else.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from compat_tests.client import BrokerError, Client
from compat_tests.packing import record_from_json, record_to_json

ARGUMENTS = {  # what programs.py calls what client.Client calls otherwise
    "add_partitions": {"partitions": "total"},
    "commit": {"at": "offset"},
    "committed": {"list": "partitions"},
    "commit_stale": {"at": "generation"},
    "delete_records": {"at": "before"},
}


def answer(client: Client, question: dict[str, Any]) -> object:
    op = question.pop("op")
    names = ARGUMENTS.get(op, {})
    arguments = {names.get(name, name): value for name, value in question.items()}
    match op:
        case "alter_config":
            ((key, value),) = arguments.pop("configs").items()
            return client.alter_config(key=key, value=value, **arguments)
        case "produce":
            records = map(record_from_json, arguments.pop("records"))
            return client.produce(records=list(records), **arguments)
        case "consume":
            return [record_to_json(record) for record in client.consume(**arguments)]
        case "offset_for_time":
            offset = client.offset_for_time(**arguments)
            return -1 if offset is None else offset
        case "committed":
            found = client.committed(**arguments)
            return [{"offset": o, "metadata": m} for o, m in (at or (-1, "") for at in found)]
        case "describe_group":
            return client.describe_group(**arguments)._asdict()
        case "delete_records":
            del arguments["partition"]
    return getattr(client, op)(**arguments)


def serve(client: Client) -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        try:
            reply: dict[str, object] = {"result": answer(client, json.loads(line))}
        except BrokerError as error:
            reply = {"error": {"code": error.code, "text": str(error)}}
        except Exception as error:  # noqa: BLE001  # the test that asked says what is wrong
            reply = {"error": {"code": None, "text": repr(error)}}
        print(json.dumps(reply), flush=True)
