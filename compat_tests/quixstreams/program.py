"""Two applications of quixstreams, in an environment of its own.

`doubled` keeps no state. `counted` counts the records of each key; its state is in a folder and, so
that it can be had back, in a changelog topic. Both end after COUNT records.
"""

from __future__ import annotations

import sys

from quixstreams import Application, State

TIMEOUT_S = 120.0


def counted(value: int, state: State) -> dict[str, int]:
    count = state.get("count", 0) + 1
    total = state.get("total", 0) + value
    state.set("count", count)
    state.set("total", total)
    return {"count": count, "total": total}


def main(
    what: str, bootstrap: str, group: str, source: str, target: str, folder: str, count: str
) -> None:
    application = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=folder,
        commit_interval=0.5,
        consumer_extra_config={"session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
    )
    taken = application.topic(source, value_deserializer="json", key_deserializer="str")
    given = application.topic(target, value_serializer="json", key_serializer="str")
    frame = application.dataframe(taken)
    if what == "counted":
        frame = frame.apply(counted, stateful=True)
    else:
        frame = frame.apply(lambda value: 2 * value)
    frame.to_topic(given)
    application.run(count=int(count), timeout=TIMEOUT_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
