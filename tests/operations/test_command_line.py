"""The operator's subcommands: what they print, and their exit status."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from godel.clock import ManualClock
from godel.daemon import main
from godel.storage.memory_files import MemoryFiles
from godel.testing import Broker
from tests.operations.directories import (
    SETTINGS,
    batch_positions,
    flip,
    segments,
    used_directory,
)
from tests.operations.kafka import write_kafka, write_out
from tests.wire import Client, batch, records_of, values_of

SOUND, PROBLEMS, COULD_NOT_RUN = 0, 1, 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return used_directory(tmp_path / "data")


def verify(capsys: pytest.CaptureFixture[str], data: Path, *options: str) -> tuple[int, str]:
    status = main(["verify", str(data), *options])
    return status, capsys.readouterr().out


def contents(data: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_what_a_broker_has_left_is_sound(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    before = contents(data)
    status, said = verify(capsys, data)
    assert (status, said.splitlines()) == (
        SOUND,
        ["1 partitions, 4 segments, 60 batches, 3.4 MiB: sound"],
    )
    assert contents(data) == before


def test_the_answer_as_json(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    flip(segments(data)[0], 100)
    status, said = verify(capsys, data, "--output", "json")
    answer = json.loads(said)
    assert (status, answer["sound"], answer["partitions"]) == (PROBLEMS, False, 1)
    (finding,) = (each for each in answer["findings"] if each["position"] == 0)
    assert finding["path"].endswith("t-0/00000000000000000000.log")
    assert "CRC" in finding["what"]


def test_a_directory_in_use_is_refused(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    with Broker(SETTINGS, data=data):
        for options in ([], ["--repair"]):
            assert main(["verify", str(data), *options]) == COULD_NOT_RUN
            assert "in use" in capsys.readouterr().err


def test_a_directory_of_somebody_else_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for options in ([], ["--repair"]):
        assert main(["verify", str(tmp_path), *options]) == COULD_NOT_RUN
        assert "not a data directory" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


def test_missing_metadata_are_not_made_anew(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / "metadata.sqlite").unlink()
    for options in ([], ["--repair"]):
        assert main(["verify", str(data), *options]) == COULD_NOT_RUN
        assert "restore it from a backup" in capsys.readouterr().err
        assert not (data / "metadata.sqlite").exists()


def test_repair_cuts_a_damaged_batch_and_says_so(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    last = segments(data)[-1]
    positions = batch_positions(last)
    flip(last, positions[2] + 70)
    assert verify(capsys, data)[0] == PROBLEMS
    status = main(["verify", str(data), "--repair"])
    captured = capsys.readouterr()
    assert (status, captured.out.splitlines()[-1][-5:]) == (SOUND, "sound")
    assert re.search(r"repair: log cut: partition t-0, offset \d+, .*CRC", captured.err)
    assert re.search(r"note: .*\.corrupt: what an earlier recovery has cut off", captured.out)
    with Broker(SETTINGS, data=data, clock=ManualClock()) as broker, Client(broker) as client:
        end = client.list_offset("t", -1).offset
        assert end == int(last.stem) + 4
        client.produce("t", batch("after"))
        assert values_of(client.fetch("t", end)) == ["after"]


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("00000000000000000000.index", 12),
        ("00000000000000000000.timeindex", 3),
        ("leader-epoch-checkpoint", 0),
        ("*.snapshot", 9),
    ],
)
def test_repair_makes_anew_what_can_be_derived(
    capsys: pytest.CaptureFixture[str], data: Path, name: str, position: int
) -> None:
    damaged = sorted((data / "t-0").glob(name))[-1]
    before = damaged.read_bytes()
    flip(damaged, position)
    status, said = verify(capsys, data)
    assert status == PROBLEMS
    assert f"problem: {damaged}" in said
    assert verify(capsys, data, "--repair")[0] == SOUND
    if name.endswith("index"):
        assert damaged.read_bytes() == before
    with Broker(SETTINGS, data=data, clock=ManualClock()) as broker, Client(broker) as client:
        assert client.list_offset("t", -1).offset == 120


def test_repair_cuts_nothing_off_behind_a_missing_segment(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    second = segments(data)[1]
    for path in (data / "t-0").glob(f"{second.stem}.*"):
        path.unlink()
    assert "a segment is missing" in verify(capsys, data)[1]
    assert verify(capsys, data, "--repair")[0] == PROBLEMS
    assert not list((data / "t-0").glob("*.corrupt"))
    with Broker(SETTINGS, data=data, clock=ManualClock()) as broker, Client(broker) as client:
        assert client.list_offset("t", -1).offset == 120


@pytest.mark.slow
def test_kafkas_data_are_imported_and_verified(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kafka, target = tmp_path / "kafka", tmp_path / "new" / "data"
    write_kafka(memory := MemoryFiles())
    write_out(memory, tmp_path)
    assert main(["import", str(kafka), "--data", str(target)]) == SOUND
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].startswith("3 partitions, ")
    assert f"start it with: godel-broker --data {target} --set node.id=5" in captured.err
    assert verify(capsys, target)[0] == SOUND
    assert main(["import", str(kafka), "--data", str(target)]) == COULD_NOT_RUN
    assert "has a broker's data already" in capsys.readouterr().err


def test_a_backup_is_sound_and_restored_as_it_was(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    before = contents(data)
    assert main(["backup", str(data), "--to", str(backup)]) == SOUND
    assert capsys.readouterr().out == "1 partitions, 3.4 MiB: sound\n"
    assert contents(data) == before
    assert verify(capsys, backup)[0] == SOUND
    assert main(["restore", str(backup), "--data", str(restored)]) == SOUND
    assert f"start it with: godel-broker --data {restored}\n" in capsys.readouterr().err
    assert verify(capsys, restored)[0] == SOUND
    for log in segments(data):
        assert (restored / "t-0" / log.name).read_bytes() == log.read_bytes()
    with Broker(SETTINGS, data=restored, clock=ManualClock()) as broker, Client(broker) as client:
        client.produce("unused", batch("after"))
        assert values_of(client.fetch("unused", 0)) == ["after"]


def test_what_cannot_be_backed_up_or_restored(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    assert main(["backup", str(tmp_path), "--to", str(tmp_path / "b")]) == COULD_NOT_RUN
    assert "is not a data directory" in capsys.readouterr().err
    assert main(["restore", str(data), "--data", str(data)]) == COULD_NOT_RUN
    (data / "metadata.sqlite").unlink()
    assert main(["backup", str(data), "--to", str(tmp_path / "b")]) == COULD_NOT_RUN
    assert "metadata.sqlite is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_a_broker_under_load_is_backed_up_by_another_process(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Records, segments and topics come meanwhile; what was acknowledged before is in the copy."""
    data = used_directory(tmp_path / "data")
    with Broker(SETTINGS, data=data) as broker:
        writer = Writer(broker)
        for number in range(2):
            backup = tmp_path / f"backup-{number}"
            before = writer.acknowledged()
            writer.start()
            done = run_in_process("backup", str(data), "--to", str(backup))
            writer.stop()
            assert done.returncode == SOUND, done.stdout + done.stderr
            restored = tmp_path / f"restored-{number}"
            assert main(["restore", str(backup), "--data", str(restored)]) == SOUND
            assert verify(capsys, restored)[0] == SOUND
            check_prefix(broker, restored, at_least=before)


def run_in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "godel.daemon", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


class Writer:
    """Produces in a thread of its own, and makes a topic now and then."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._thread: threading.Thread | None = None
        self._is_stopping = threading.Event()
        self._topics = 0

    def acknowledged(self) -> int:
        with Client(self._broker) as client:
            return client.list_offset("t", -1).offset

    def start(self) -> None:
        self._is_stopping.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        assert self._thread is not None
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with Client(self._broker) as client:
            while not self._is_stopping.is_set():
                for number in range(40):
                    client.produce("t", batch(f"{number}", "." * 4_000))
                self._topics += 1
                client.create(f"made-{self._topics}")
                client.produce(f"made-{self._topics}", batch("first"))


def check_prefix(broker: Broker, restored: Path, *, at_least: int) -> None:
    """Every record of the copy is the original's, and none is missing that it had."""
    with (
        Broker(SETTINGS, data=restored) as copy,
        Client(broker) as original_client,
        Client(copy) as copy_client,
    ):
        end = copy_client.list_offset("t", -1).offset
        assert at_least <= end <= original_client.list_offset("t", -1).offset
        offset = 0
        while offset < end:
            fetched = records_of(original_client.fetch("t", offset))
            originals = {record.offset: record for record in fetched}
            fetched = records_of(copy_client.fetch("t", offset))
            copies = [record for record in fetched if record.offset in originals]
            assert copies
            assert copies == [originals[record.offset] for record in copies]
            offset = copies[-1].offset + 1


# -- several directories ---------------------------------------------------------------------------


@pytest.fixture
def disks(tmp_path: Path) -> list[Path]:
    """Two directories with a partition each; the first has the metadata."""
    paths = [tmp_path / "first", tmp_path / "second"]
    settings = SETTINGS | {"log.dirs": ",".join(map(str, paths))}
    with Broker(settings, data=paths[0], clock=ManualClock()) as broker, Client(broker) as client:
        client.create("t", partitions=2)
        for partition in range(2):
            assert client.produce("t", batch("x"), partition=partition).error_code == 0
    assert [[one.name for one in path.glob("t-*")] for path in paths] == [["t-0"], ["t-1"]]
    return paths


def test_the_directory_with_the_metadata_stands_for_all_of_them(
    capsys: pytest.CaptureFixture[str], disks: list[Path]
) -> None:
    status, said = verify(capsys, disks[0])
    assert (status, said.splitlines()[-1][:13]) == (SOUND, "2 partitions,")
    damaged = segments(disks[1], "t-1")[0]
    flip(damaged, 64)
    status, said = verify(capsys, disks[0])
    assert status == PROBLEMS
    assert f"problem: {damaged}" in said
    assert verify(capsys, disks[0], "--repair")[0] == SOUND


def test_a_directory_without_the_metadata_says_what_to_name(
    capsys: pytest.CaptureFixture[str], disks: list[Path]
) -> None:
    for options in ([], ["--repair"]):
        assert main(["verify", str(disks[1]), *options]) == COULD_NOT_RUN
        assert "name the one that has it" in capsys.readouterr().err


def test_a_directory_that_is_gone_is_a_problem_and_the_others_are_checked(
    capsys: pytest.CaptureFixture[str], disks: list[Path]
) -> None:
    disks[1].rename(disks[1].with_name("away"))
    for options in ([], ["--repair"]):
        status, said = verify(capsys, disks[0], *options)
        assert status == PROBLEMS
        assert f"problem: {disks[1]}: there is no data directory" in said
        assert "1 partitions" in said


def test_two_folders_of_one_partition_are_a_problem(
    capsys: pytest.CaptureFixture[str], disks: list[Path]
) -> None:
    shutil.copytree(disks[0] / "t-0", disks[1] / "t-0")
    status, said = verify(capsys, disks[0])
    assert status == PROBLEMS
    assert f"problem: {disks[1]}/t-0: {disks[0]} has a folder for t-0, too" in said
