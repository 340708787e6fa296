"""`godel-broker`: what it prints, how it stops, and what it says when it cannot start."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from godel import daemon
from godel.config.sources import from_flags, load
from godel.daemon import (
    BAD_CONFIGURATION,
    CANNOT_RUN,
    hidden,
    main,
    tell_what_is_not_followed,
)
from godel.testing import Broker
from tests.disks import DURABLE
from tests.processes import Process, Remote
from tests.wire import Client, batch, fetch_request, values_of

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _process_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The daemon owns its process's logging and environment; a test's process gets them back."""
    for name in os.environ:
        if name.startswith("GODEL_BROKER_"):
            monkeypatch.delenv(name)
    yield
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object, status: int) -> str:
    """Start in this process, which must fail at once; returns the one line on standard error."""
    assert main([str(argument) for argument in arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("godel-broker: ")
    return line


# -- what keeps it from running --------------------------------------------------------------------


def test_a_port_in_use(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        line = refusal(capsys, "--data", data, "--listen", address, status=CANNOT_RUN)
    assert address in line
    assert "in use" in line
    assert "--listen" in line
    assert "Errno" not in line


def test_an_address_of_another_machine(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    line = refusal(capsys, "--data", data, "--listen", "192.0.2.1:0", status=CANNOT_RUN)
    assert "192.0.2.1:0" in line
    assert "--listen" in line


def test_a_directory_that_another_broker_has(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    with Broker(data=data):
        line = refusal(capsys, "--data", data, "--listen", "127.0.0.1:0", status=CANNOT_RUN)
    assert str(data) in line
    assert "in use by another broker" in line
    assert "--data" in line


def used_directory(data: Path) -> None:
    with Broker(data=data) as broker, Client(broker) as client:
        client.create("t")
        client.produce("t", batch("a"))


@pytest.mark.parametrize(
    ("file", "content", "hints"),
    [
        ("godel.json", b"{", ["damaged", "backup"]),
        ("godel.json", b'{"format_version": 99, "cluster_id": "c", "node_id": 1}', ["newer"]),
        ("meta.properties", b"cluster.id=other\nnode.id=1\n", ["damaged", "backup"]),
        ("metadata.sqlite", b"not a database" * 1000, ["backup"]),
        ("metadata.sqlite", None, ["missing", "backup", "--data"]),
    ],
    ids=["marker", "newer", "properties", "metadata", "metadata gone"],
)
def test_a_directory_that_is_damaged_or_newer(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    file: str,
    content: bytes | None,
    hints: list[str],
) -> None:
    used_directory(data)
    if content is None:
        (data / file).unlink()
    else:
        (data / file).write_bytes(content)
    line = refusal(capsys, "--data", data, "--listen", "127.0.0.1:0", status=CANNOT_RUN)
    assert str(data) in line
    for hint in hints:
        assert hint in line


def test_metadata_of_a_newer_release(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    used_directory(data)
    database = sqlite3.connect(data / "metadata.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    line = refusal(capsys, "--data", data, "--listen", "127.0.0.1:0", status=CANNOT_RUN)
    assert "newer" in line
    assert str(data) in line


def test_metadata_of_another_cluster(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    used_directory(data)
    used_directory(tmp_path / "other")
    (tmp_path / "other" / "metadata.sqlite").replace(data / "metadata.sqlite")
    refusal(capsys, "--data", data, "--listen", "127.0.0.1:0", status=CANNOT_RUN)


@pytest.mark.parametrize(
    ("file", "hints"),
    [("photo.jpg", ["not empty", "photo.jpg", "--data"]), ("meta.properties", ["import"])],
    ids=["foreign", "Kafka"],
)
def test_a_directory_of_someone_else(
    capsys: pytest.CaptureFixture[str], data: Path, file: str, hints: list[str]
) -> None:
    data.mkdir()
    (data / file).write_text("version=1\n")
    line = refusal(capsys, "--data", data, "--listen", "127.0.0.1:0", status=CANNOT_RUN)
    for hint in [str(data), *hints]:
        assert hint in line
    assert [path.name for path in data.iterdir()] == [file], "nothing is touched"


def test_a_directory_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    for path in (in_the_way, in_the_way / "data", Path("/proc/godel")):
        line = refusal(capsys, "--data", path, "--listen", "127.0.0.1:0", status=CANNOT_RUN)
        assert str(path) in line
        assert "--data" in line


@pytest.mark.parametrize(
    ("arguments", "hints"),
    [
        (["--set", "log.retention.m=1"], ["log.retention.m", "did you mean log.retention.ms?"]),
        (["--set", "xyzzy=1"], ["xyzzy", "unknown setting"]),
        (["--set", "num.partitions=many"], ["num.partitions", "many"]),
        (["--set", "num.partitions=0"], ["num.partitions", "1"]),
        (["--set", "num.partitions"], ["num.partitions"]),
        (["--listen", "9092"], ["listeners", "--listen", "9092"]),
        (["--listen", "127.0.0.1:99999"], ["--listen", "65535"]),
        (["--advertise", "0.0.0.0:9092"], ["--advertise", "0.0.0.0", "clients"]),
        (["--advertise", "[::]:9092"], ["--advertise", "::", "clients"]),
        (["--config", "/nonexistent/godel.properties"], ["/nonexistent/godel.properties"]),
        (["--config", "/"], ["/"]),
    ],
)
def test_a_configuration_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], data: Path, arguments: list[str], hints: list[str]
) -> None:
    line = refusal(capsys, "--data", data, *arguments, status=BAD_CONFIGURATION)
    for hint in hints:
        assert hint in line
    assert not data.exists()


def test_each_mistake_of_a_configuration_has_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "server.properties"
    file.write_text("num.partitions=x\nlog.retention.hour=1\n")
    assert main(["--config", str(file), "--set", "max.connections=-1"]) == BAD_CONFIGURATION
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert sum(str(file) in line for line in lines) == 2


# -- what it prints --------------------------------------------------------------------------------


def test_config_prints_values_and_sources(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "server.properties"
    file.write_text(
        "num.partitions=3\nmax.connections=5\nlog.dirs=/from/file\nprocess.roles=broker\n"
    )
    monkeypatch.setenv("GODEL_BROKER_MAX_CONNECTIONS", "7")
    monkeypatch.setenv("GODEL_BROKER_LOG_DIRS", "/from/environment")
    assert main(["config", "--config", str(file), "--data", "/from/flag"]) == 0
    lines = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["num.partitions"].startswith(f"3  # file {file}")
    assert lines["max.connections"].startswith("7  # ")
    assert "GODEL_BROKER_MAX_CONNECTIONS" in lines["max.connections"]
    assert lines["log.dirs"] == "/from/flag  # flag --data"
    assert lines["write.caching"].startswith("false  # default")
    assert "no effect" in lines["num.io.threads"]
    assert lines["# process.roles"].startswith(f"broker  # file {file}")
    assert ", ignored: " in lines["# process.roles"]


def test_config_ends_in_silence_when_its_reader_has_seen_enough() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "godel.daemon", "config"]
    try:
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_showing_the_configuration_leaves_the_process_as_it_was() -> None:
    """Who calls it in a test goes on with sockets whose peers may be gone."""
    assert main(["config"]) == 0
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    assert gc.isenabled()


def test_what_nothing_here_follows_is_told_by_reason() -> None:
    logged = LogCapture()
    pairs = {
        "process.roles": "broker",
        "zookeeper.connect": "localhost",
        "zookeeper.session.timeout.ms": "1",
        "num.io.threads": "8",
    }
    tell_what_is_not_followed(
        load(from_flags(pairs.items())), structlog.wrap_logger(None, processors=[logged])
    )
    told = {(entry["event"], entry["keys"]) for entry in logged.entries}
    assert told == {
        ("settings_ignored", "process.roles"),
        ("settings_ignored", "zookeeper.connect, zookeeper.session.timeout.ms"),
        ("settings_without_effect", "num.io.threads"),
    }
    assert all(entry["reason"] for entry in logged.entries)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("config/server.properties", "--config config/server.properties"),
        ("verfiy", "config, verify, import, backup, restore"),
    ],
)
def test_an_unknown_word_gets_a_hint(
    capsys: pytest.CaptureFixture[str], word: str, hint: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([word])
    assert hint in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--version", "--help"):
        with pytest.raises(SystemExit) as ended:
            main([flag])
        assert ended.value.code == 0
        assert "godel-broker" in capsys.readouterr().out


# -- a process -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sigterm_ends_it_in_good_order_with_a_fetch_waiting_and_a_connection_idle(
    data: Path,
) -> None:
    process = Process(data)
    try:
        port = process.ready()
        with Remote(port) as client, Remote(port) as fetching, Remote(port):
            client.create("t")
            assert client.produce("t", batch("a")).error_code == 0
            fetching.post(fetch_request({("t", 0): 1}, max_wait_ms=600_000), 12)
            client.describe("t")
            began = time.monotonic()
            assert process.stop() == 0
            assert time.monotonic() - began < 4
            assert client.is_closed()
        events = [event["event"] for event in process.events]
        assert events[-2:] == ["broker_stopping", "broker_stopped"]
        assert "unclean_stop" not in events
    finally:
        process.kill()
    with Broker(DURABLE, data=data) as broker, Client(broker) as client:
        assert client.leader_epoch("t") == 0, "the stop was a clean one"
        assert values_of(client.fetch("t")) == ["a"]


@pytest.mark.slow
def test_sigkill_loses_nothing_that_was_acknowledged(data: Path) -> None:
    process = Process(data, "--set", "num.partitions=2")
    try:
        with Remote(process.ready()) as client:
            client.create("t")
            for n in range(20):
                assert client.produce("t", batch(str(n))).base_offset == n
        process.process.kill()
    finally:
        process.kill()
    with Broker(DURABLE, data=data) as broker, Client(broker) as client:
        assert client.leader_epoch("t") == 1
        assert values_of(client.fetch("t")) == [str(n) for n in range(20)]


@pytest.mark.slow
def test_a_process_that_cannot_start_says_so_in_one_line(tmp_path: Path) -> None:
    foreign = tmp_path / "photo.jpg"
    foreign.touch()
    process = Process(tmp_path)
    try:
        _, err = process.process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.process.returncode == CANNOT_RUN
    assert len(err.splitlines()) == 1
    assert "photo.jpg" in err


@pytest.mark.slow
def test_the_daemon_imports_nothing_heavy_before_it_knows_that_it_will_run() -> None:
    heavy = ("anyio", "structlog", "sqlite3", "cramjam", "asyncio")
    code = f"import sys, godel.daemon; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert out.strip() == "[]"
    assert daemon.HAS_UVLOOP == (sys.platform != "win32")


# -- what its process does not import --------------------------------------------------------------


def test_a_hidden_module_is_found_again() -> None:
    with hidden("wave"), pytest.raises(ImportError):
        import wave
    import wave

    with hidden("wave"):
        import wave  # noqa: F401 - what is imported already stays


@pytest.mark.slow
def test_a_start_imports_nothing_of_the_command_line_and_nothing_for_batches(data: Path) -> None:
    """Up to a broker that is ready; Python lists what it imports on standard error."""
    words = [sys.executable, "-X", "importtime", "-m", "godel.daemon", "--data", str(data)]
    imported: set[str] = set()
    with subprocess.Popen(
        [*words, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "broker_ready" in line:
                break
            imported.add(line.rpartition("|")[2].strip())
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert "godel.server.node" in imported
    assert not imported & {"typer", "rich.console", "yaml", "godel.cli", "godel.client"}
    later = {"crc32c", "cramjam", "importlib.metadata"}  # with the first batch that needs them
    assert not imported & later
