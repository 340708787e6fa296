"""Our own Java programs over Kafka's jars, compiled once; ToolRunner runs tools in one JVM."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from compat_tests.java import jars
from compat_tests.programs import CACHE, CannotBuild, compile_java, not_testable
from compat_tests.requirements import missing, need_program
from compat_tests.serving import ServingProgram

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 120
# A JVM set to start fast: these live for seconds.
JVM = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")


def need_kafkas_jars() -> None:
    """For the top of a module; whether javac is there shows when something is to be compiled."""
    need_program("java")
    if not jars.are_there():
        missing(f"Kafka's jars in {jars.folder()}")


def java_command(main_class: str, *arguments: str) -> list[str]:
    return [*JVM, "-cp", f"{jars.folder()}/*", main_class, *arguments]


@functools.cache
def command(program: str) -> tuple[str, ...]:
    """How to start `program`, a source file beside this one; CannotBuild says what is missing."""
    source = HERE / f"{program}.java"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    classes = CACHE / "kafka-tools-classes" / f"{program}-{digest}"
    libraries = f"{jars.folder()}{os.sep}*"
    compile_java([source], classes, libraries)
    return (*JVM, "-cp", f"{classes}{os.pathsep}{libraries}", program)


class ToolRunner:
    def __init__(self) -> None:
        try:
            self._program = ServingProgram(command("ToolRunner"))
        except CannotBuild as failure:
            not_testable(f"Kafka's tools: {failure}")

    def run(self, main_class: str, *arguments: str, fails: bool = False) -> str:
        """What the tool prints; when it fails, both streams."""
        done = self._program.ask("run", {"main": main_class, "arguments": arguments})
        assert isinstance(done, dict)
        said: str = done["out"] + done["err"]
        assert (done["status"] != 0) == fails, f"status {done['status']}\n{said}"
        return said if fails else done["out"]

    def end(self) -> None:
        self._program.end()
