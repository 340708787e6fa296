"""The versions of Kafka's Java client under test: their jars, and the program compiled for each.

setup.py fetches the jars with Maven into .cache/clients; the classes beside them are compiled when
the sources are other than those of the last time.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from compat_tests.programs import CACHE, CannotBuild, compile_java

HERE = Path(__file__).resolve().parent
VERSIONS = ("4.3.1", "3.9.1", "2.8.2")
# These processes live for seconds: start fast, stay small.
JVM = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


def jars(version: str) -> Path:
    return CACHE / f"kafka-clients-{version}"


def fetch(version: str) -> None:
    """Raises CalledProcessError. The folder is there only when it is complete."""
    target = jars(version)
    if target.is_dir():
        return
    partial = target.with_name(target.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    where = (f"-Dkafka={version}", f"-DoutputDirectory={partial}")
    goal = "dependency:copy-dependencies"
    subprocess.run(["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), goal, *where], check=True)
    partial.rename(target)


@functools.cache
def command(version: str) -> tuple[str, ...]:
    """How to start the program; CannotBuild says what is missing."""
    if shutil.which("java") is None:
        raise CannotBuild("java is not installed")
    if not jars(version).is_dir():
        raise CannotBuild(f"no jars in {jars(version)}: make compat fetches them")
    sources = sorted(HERE.glob("*.java"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    classes = CACHE / f"kafka-clients-{version}-classes" / digest
    libraries = f"{jars(version)}{os.sep}*"
    compile_java(sources, classes, libraries, "-nowarn", "-Xlint:none")
    return (*JVM, LOGGING, "-cp", f"{classes}{os.pathsep}{libraries}", "Program")
