"""`godel` as a process on a terminal of its own (a pseudo-terminal), or in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

PATIENCE_S = 20.0
COLUMNS = 100
CTRL_C, CTRL_D = "\x03", "\x04"

# The child makes the terminal its controlling one, so that Ctrl-C comes from it as a signal, and
# listens to that: what a shell runs in the background ignores it, and so would its children.
PROGRAM = """
import fcntl, signal, sys, termios
signal.signal(signal.SIGINT, signal.default_int_handler)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from godel.cli.main import entry
entry()
"""


def environment(bootstrap: str, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GODEL_")}
    given = {"GODEL_BOOTSTRAP": bootstrap, "XDG_CONFIG_HOME": str(home), "TERM": "xterm"}
    return {**kept, **given, "COLUMNS": str(COLUMNS)} | {"NO_COLOR": ""}


class Terminal:
    """A command that runs on a terminal; `shown` is everything that the terminal has shown."""

    def __init__(self, bootstrap: str, home: Path, *words: str) -> None:
        self.shown = ""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(bootstrap, home),
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, text: str) -> str:
        """Everything shown, once `text` is in it."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"{text!r} is not in what was shown:\n{self.shown}")
        return self.shown

    def end(self) -> int:
        """The exit status; `shown` is complete then."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not end:\n{self.shown}")
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        """Whether the other end is still open."""
        if not select.select([self._ours], [], [], 0.2)[0]:
            return True
        try:
            raw = os.read(self._ours, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += raw.decode(errors="replace")
        return bool(raw)
