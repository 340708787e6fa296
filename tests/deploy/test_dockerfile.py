"""The Dockerfile: held against a linter and our own rules, and its steps carried out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.dockerfile import FreshRoot, Stage, build, need_namespaces, stages
from tests.deploy.installed import PATIENCE_S, round_trip
from tests.deploy.tools import ROOT, copy_of_clone, installs, need_script, run

TEXT = (ROOT / "Dockerfile").read_text()
USER, VOLUME = "9092:9092", "data"


def test_a_linter_finds_nothing() -> None:
    run(need_script("hadolint"), "--failure-threshold", "info", ROOT / "Dockerfile")


def test_the_broker_is_no_root_and_the_first_process() -> None:
    final = stages(TEXT)[-1]
    assert final.last("USER").arguments == USER
    assert final.last("STOPSIGNAL").arguments == "SIGTERM"
    assert final.last("VOLUME").arguments == f"/{VOLUME}"
    for name in ("ENTRYPOINT", "CMD"):
        assert final.last(name).command()  # a list: no shell between the engine and the broker


def test_the_image_gets_only_what_the_build_needs() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {
        source
        for stage in stages(TEXT)
        for instruction in stage.instructions
        if instruction.name == "COPY" and "--from" not in instruction.arguments
        for source in instruction.arguments.split()[:-1]
    }
    assert allowed[0] == "*"
    assert {line[1:] for line in allowed if line.startswith("!")} == copied


# -- the steps carried out -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[FreshRoot, Stage]:
    need_namespaces()
    folder = tmp_path_factory.mktemp("image")
    return build(TEXT, copy_of_clone(folder / "context"), folder)


class Container:
    """The broker as the first process of namespaces of its own, with a network of its own."""

    def __init__(self, image: tuple[FreshRoot, Stage]) -> None:
        self.root, self.stage = image
        command = self.stage.last("ENTRYPOINT").command() + self.stage.last("CMD").command()
        user = self.stage.last("USER").arguments
        self.outer = subprocess.Popen(
            self.root.confined(user, command, writable=VOLUME), stderr=subprocess.PIPE, text=True
        )
        assert self.outer.stderr is not None
        said = []
        for line in self.outer.stderr:
            said.append(line)
            if "broker_ready" in line:
                break
        else:
            raise AssertionError(f"it ended with {self.outer.wait()}: {''.join(said)}")
        children = Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text()
        self.broker = int(children)

    def inside(self, *command: str) -> list[str]:
        """A command beside the broker, as its user: what an engine's exec does."""
        user, group = USER.split(":")
        ids = [f"--setuid={user}", f"--setgid={group}"]
        where = ["--target", str(self.broker), "--mount", "--net", "--pid", "--root", "--wd"]
        return ["nsenter", *where, *ids, *command]

    def stop(self) -> tuple[int, str]:
        """Status and last event of the broker after the engine's signal."""
        number = getattr(signal, self.stage.last("STOPSIGNAL").arguments)
        os.kill(self.broker, number)
        assert self.outer.stderr is not None
        _, said = self.outer.communicate(timeout=PATIENCE_S)
        return self.outer.returncode, json.loads(said.splitlines()[-1])["event"]

    def close(self) -> None:
        if self.outer.poll() is None:
            os.kill(self.broker, signal.SIGKILL)
        self.outer.communicate(timeout=PATIENCE_S)


@pytest.fixture
def container(image: tuple[FreshRoot, Stage]) -> Iterator[Container]:
    started = Container(image)
    yield started
    started.close()


def status_of(process: int, name: str) -> str:
    found = re.search(rf"^{name}:\s*(.*)$", Path(f"/proc/{process}/status").read_text(), re.M)
    assert found
    return found[1]


@pytest.mark.slow
@installs
def test_it_serves_as_its_own_user_as_the_first_process(container: Container) -> None:
    assert set(status_of(container.broker, "Uid").split()) == {USER.partition(":")[0]}
    assert status_of(container.broker, "NSpid").split()[-1] == "1"
    round_trip(container.inside("/app/bin/godel"), "127.0.0.1:9092")


@pytest.mark.slow
@installs
def test_it_writes_nothing_but_its_volume(container: Container) -> None:
    tried = subprocess.run(
        container.inside("touch", "/app/written"), capture_output=True, check=False
    )
    assert b"Read-only file system" in tried.stderr
    run(*container.inside("test", "-f", f"/{VOLUME}/godel.json"))


@pytest.mark.slow
@installs
def test_its_health_check_tells_a_broker_from_none(container: Container) -> None:
    _, _, check = container.stage.last("HEALTHCHECK").arguments.partition("CMD ")
    command = json.loads(check)
    run(*container.inside(*command))
    alone = container.root.confined(USER, command, writable=VOLUME)
    assert (
        subprocess.run(alone, capture_output=True, timeout=PATIENCE_S, check=False).returncode == 1
    )


@pytest.mark.slow
@installs
def test_it_stops_in_order_on_the_engines_signal(container: Container) -> None:
    assert container.stop() == (0, "broker_stopped")
