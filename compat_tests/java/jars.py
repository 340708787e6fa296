"""Where the jars of Kafka's tools are, and how they get there (Maven, once).

KAFKA_LIBS names a folder that has them already; otherwise they live in .cache/kafka-tools.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEEDED = (
    *("kafka-tools", "kafka_2.13", "connect-file", "kafka-streams"),
    *("log4j-core", "log4j-slf4j-impl"),
)
CACHE = HERE.parents[1] / ".cache" / "kafka-tools"
NEWEST = "4.3.1"
OLDER = "3.9.1"
"""The last Kafka before 4 that can be had; only its broker is needed."""


def folder() -> Path:
    return Path(os.environ.get("KAFKA_LIBS") or CACHE)


def are_there() -> bool:
    return all(any(folder().glob(f"{name}-*.jar")) for name in NEEDED)


def fetch() -> None:
    """Download into a folder of its own and rename it: half a download is not taken for all."""
    target = folder()
    if are_there():
        return
    partial = target.with_name(target.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    goal = "dependency:copy-dependencies"
    subprocess.run(
        ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), goal, f"-DoutputDirectory={partial}"],
        check=True,
    )
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def libraries(version: str) -> Path:
    """The jars that a broker of `version` is started from."""
    if version != OLDER:
        return folder()
    given = os.environ.get("KAFKA_LIBS_OLDER")
    return Path(given) if given else CACHE.with_name(f"kafka-broker-{OLDER}")


def fetch_older() -> None:
    target = libraries(OLDER)
    if target.is_dir():
        return
    partial = target.with_name(target.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    goal = "dependency:copy-dependencies"
    where = ("-f", str(HERE / "broker.pom.xml"), f"-Dkafka={OLDER}", f"-DoutputDirectory={partial}")
    subprocess.run(["mvn", "-q", "-B", *where, goal], check=True)
    partial.rename(target)
