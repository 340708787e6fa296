"""Programs that stay up and answer question after question; see programs.py."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from compat_tests.client import Client
from compat_tests.groups import MemberCommand
from compat_tests.programs import ProgramClient, result_of
from compat_tests.suite import ClientSuite

ROOT = Path(__file__).resolve().parents[1]
ANSWER_TIMEOUT_S = 150.0


class ServingProgram:
    """One process of the client; it ends with its standard input."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [
            threading.Thread(target=self._gather_answers, daemon=True),
            threading.Thread(target=self._gather_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _gather_answers(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _gather_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, op: str, arguments: Mapping[str, object]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            self.end()
            raise AssertionError(
                f"{op}: no answer in {ANSWER_TIMEOUT_S:g} s{self._said()}"
            ) from None
        if line is None:
            self.end()
            raise AssertionError(f"{op}: the program has ended{self._said()}")
        return result_of(json.loads(line))

    def _said(self) -> str:
        return "\n" + "".join(self._errors[-30:])

    def end(self) -> None:
        assert self._process.stdin is not None
        if self.is_alive:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(10)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class ServingClient(ProgramClient):
    """Subclass it with `command`; all instances share one process."""

    command: tuple[str, ...]
    _programs: ClassVar[dict[tuple[tuple[str, ...], str], ServingProgram]] = {}

    def __init__(self, bootstrap: str) -> None:
        Client.__init__(self, bootstrap)

    def ask(self, operation: str, **arguments: object) -> Any:
        key = (self.command, self.bootstrap)
        program = self._programs.get(key)
        if program is None or not program.is_alive:
            program = ServingProgram([*self.command, "serve", self.bootstrap])
            self._programs[key] = program
        return program.ask(operation, arguments)

    def member_command(self, assignor: str, *instance: str) -> MemberCommand:
        return lambda *names: [*self.command, "member", *names, assignor, *instance]

    @classmethod
    def end_all(cls) -> None:
        while cls._programs:
            cls._programs.popitem()[1].end()


class ServingSuite(ClientSuite):
    client_class: ClassVar[type[ServingClient]]

    @pytest.fixture(scope="class", autouse=True)
    def _one_program(self) -> Iterator[None]:
        yield
        self.client_class.end_all()
