"""Draws docs/images/godel.svg: what `godel` shows on a terminal, from a real run of it.

`make picture`. A broker is started in this process, the commands below run on a terminal of their
own (a pseudo-terminal), and what they print becomes the picture.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from godel.testing import Broker

PICTURE = Path(__file__).resolve().parent / "images" / "godel.svg"
COLUMNS, LINES = 92, 60
PROGRAM = "from godel.cli.main import entry; entry()"
COMMANDS = (
    "godel topics create flights --partitions 3",
    "godel produce flights --key-separator : departures.txt",
    "godel consume flights --group board -n 4",
    "godel groups describe board",
    "godel topics describe flihgts",
    "godel doctor",
)
DEPARTURES = "N14228:EWR-IAH\nN24211:LGA-IAH\nN619AA:JFK-MIA\nN804JB:JFK-BQN\n"


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    with tempfile.TemporaryDirectory() as name, Broker(data=f"{name}/data") as broker:
        folder = Path(name)
        (folder / "departures.txt").write_text(DEPARTURES)
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            console.print(Text.from_ansi(shown(command, folder, broker.bootstrap_servers)))
            console.print()
    svg = console.export_svg(title="godel", unique_id="godel")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(without_fonts(svg), encoding="utf-8")
    print(f"{PICTURE} written, {PICTURE.stat().st_size // 1024} KiB")


def shown(command: str, folder: Path, bootstrap: str) -> str:
    """Everything that a command shows on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = os.environ | {"GODEL_BOOTSTRAP": bootstrap, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command.split()[1:]],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
    )
    os.close(theirs)
    parts = []
    while part := _read(ours):
        parts.append(part)
    os.close(ours)
    process.wait()
    text = b"".join(parts).decode().replace("\r\n", "\n").rstrip("\n")
    return text.replace(f"{folder}/", "/var/lib/").replace(bootstrap, "127.0.0.1:9092")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the command has ended
        return b""


def without_fonts(svg: str) -> str:
    """No font is fetched from elsewhere: the reader's own will do."""
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    main()
