"""Environments of their own for clients that cannot share one: made in .cache/clients, once.

A client that wants other versions than the rest gets a virtual environment; the Node clients get a
folder of npm's. A folder is renamed into place when it is complete; its mark says for what.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "clients"

PYTHON_CLIENTS: dict[str, tuple[str, ...]] = {
    # As distributions still have it; the codecs are what it asks for.
    "kafka_python_2": (
        "kafka-python==2.0.2",
        "crc32c==2.7.1",
        "python-snappy==0.7.3",
        "lz4==4.4.5",
        "zstandard==0.25.0",
    ),
    # It holds confluent-kafka back.
    "quixstreams": ("quixstreams==3.28.1",),
}
NODE_CLIENTS = ("confluent_js", "kafkajs", "platformatic")  # node_rdkafka: only its own tests
CONFLUENT_JS = CACHE / "confluent_js" / "node_modules" / "@confluentinc" / "kafka-javascript"
_locks: defaultdict[str, Lock] = defaultdict(Lock)  # setup.py takes several steps at a time
LIBRDKAFKA = CONFLUENT_JS / "build" / "deps"


def python_of(client: str) -> Path:
    return CACHE / client / "bin" / "python"


def wanted(client: str) -> str:
    if client in PYTHON_CLIENTS:
        return "\n".join(PYTHON_CLIENTS[client])
    return (HERE / client / "package.json").read_text()


def is_there(client: str) -> bool:
    mark = CACHE / client / ".complete"
    return mark.exists() and mark.read_text() == wanted(client)


def install(client: str) -> None:
    """Raises CalledProcessError when a step fails."""
    with _locks[client]:
        if not is_there(client):
            _install(client)


def _install(client: str) -> None:
    folder = CACHE / client
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if client in PYTHON_CLIENTS:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python_of(client)), "-m", "pip", "install", "-q", *PYTHON_CLIENTS[client]])
    else:
        folder.mkdir()
        shutil.copy(HERE / client / "package.json", folder)
        flags = ("--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--silent")
        _run(["npm", "install", *flags], folder)
        if build := BUILDS.get(client):
            build(folder)
    (folder / ".complete").write_text(wanted(client))


def _build_confluent_js(folder: Path) -> None:  # noqa: ARG001  # CONFLUENT_JS is in it
    """From the source in the package, against the system's libraries: nothing else is fetched.

    One job, or it makes librdkafka while it configures it; that one takes all processors anyhow.
    """
    build = ["npx", "--no-install", "node-pre-gyp", "install", "--build-from-source"]
    _run(["env", "CKJS_LINKING=dynamic", "JOBS=1", *build], CONFLUENT_JS)


def _build_node_rdkafka(folder: Path) -> None:
    """Against the librdkafka of confluent_js, which is newer than the one it brings along."""
    install("confluent_js")
    where = (
        f"CPLUS_INCLUDE_PATH={LIBRDKAFKA / 'include' / 'librdkafka'}",
        f"LIBRARY_PATH={LIBRDKAFKA}",
    )
    _run(["env", "BUILD_LIBRDKAFKA=0", "JOBS=2", *where, "npm", "rebuild", "--silent"], folder)


BUILDS = {"confluent_js": _build_confluent_js, "node_rdkafka": _build_node_rdkafka}


def _run(command: Sequence[str], folder: Path = ROOT) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
