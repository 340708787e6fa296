"""The instructions of our Dockerfile, and a fresh root in which they are carried out without an
engine.

`FreshRoot` is a folder that becomes the root of a process by mount namespaces and chroot. In place
of the image `python:X-slim` it has this machine's /usr, read-only, with a Python of that version at
/usr/local, where that image has it. So it shows that the steps work, as which user the broker runs,
what it needs to write, how it answers as the first process to signals and to its health check. It
does not show the real base image, the layers, published ports, nor an engine's own calls.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.tools import BUILD_S, interpreter, need_program, run

BASE_IMAGE = re.compile(r"python:(3\.\d+)-slim")
PATH = "/usr/local/bin:/usr/sbin:/usr/bin"


class Instruction(NamedTuple):
    name: str
    arguments: str

    def command(self) -> list[str]:
        """Of an instruction in the form of a JSON list."""
        parsed: list[str] = json.loads(self.arguments)
        return parsed


class Stage(NamedTuple):
    image: str
    name: str
    instructions: list[Instruction]

    def last(self, name: str) -> Instruction:
        return [each for each in self.instructions if each.name == name][-1]


def stages(text: str) -> list[Stage]:
    found: list[Stage] = []
    for instruction in instructions(text):
        if instruction.name == "FROM":
            image, _, name = instruction.arguments.partition(" AS ")
            found.append(Stage(image, name, []))
        else:
            found[-1].instructions.append(instruction)
    return found


def instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, arguments = line.strip().partition(" ")
            yield Instruction(name, arguments.strip())


class FreshRoot:
    def __init__(self, folder: Path, image: str) -> None:
        match = BASE_IMAGE.fullmatch(image)
        assert match, f"no stand-in for the image {image}"
        python = interpreter(match[1])
        if python is None:
            pytest.skip(f"no Python {match[1]} here to stand in for {image}")
        self.folder = folder
        prefix = "import sys; print(sys.base_prefix)"
        self.python = Path(run(python, "-c", prefix).strip())
        for name in ("usr", "proc", "dev", "tmp", "var"):
            (folder / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (folder / name).symlink_to(f"usr/{name}")
        shutil.copytree("/etc", folder / "etc", symlinks=True)
        self.call("ldconfig")

    def call(self, command: str) -> str:
        """A shell command, as root of this root, with the machine's network."""
        return run(*self._entered("", [], ["sh", "-ec", command]))

    def confined(self, user: str, command: Sequence[str], *, writable: str) -> list[str]:
        """The command line of a process that can write in one folder only, and has a network of
        its own.
        """
        root = shlex.quote(str(self.folder))
        confine = f"""
            mount --bind {root}/{writable} {root}/{writable}
            mount -o remount,bind,ro {root}
            ip link set lo up
        """
        return self._entered(confine, ["--net"], command, f"--userspec={user}")

    def _entered(
        self, confine: str, namespaces: Sequence[str], command: Sequence[str], *options: str
    ) -> list[str]:
        root = shlex.quote(str(self.folder))
        script = f"""
            mount --bind {root} {root}
            mount --bind /usr {root}/usr
            mount --bind {shlex.quote(str(self.python))} {root}/usr/local
            mount -o remount,bind,ro {root}/usr
            mount -t proc proc {root}/proc
            mount --rbind /dev {root}/dev
            mount -t tmpfs tmpfs {root}/tmp
            {confine}
            exec env PATH={PATH} chroot {shlex.join(options)} {root} {shlex.join(command)}
        """
        own = ["--mount", "--pid", "--fork", "--kill-child", *namespaces]
        return ["unshare", *own, "sh", "-ec", script]


def need_namespaces() -> None:
    need_program("ip")
    need_program("nsenter")
    if os.geteuid() != 0:
        pytest.skip("only root may change the root of a process")
    own = ["--mount", "--pid", "--net", "--fork", "--kill-child"]
    tried = subprocess.run(
        [need_program("unshare"), *own, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"no namespaces of our own here: {tried.stderr.strip()}")


def build(text: str, context: Path, folder: Path) -> tuple[FreshRoot, Stage]:
    """Carry out the steps of all stages; the last one's root and instructions."""
    roots: dict[str, FreshRoot] = {}
    for number, stage in enumerate(stages(text)):
        name = stage.name or str(number)
        roots[name] = FreshRoot(folder / name, stage.image)
        for instruction in stage.instructions:
            carry_out(instruction, roots[name], context, roots)
    return roots[name], stage


def carry_out(
    instruction: Instruction, root: FreshRoot, context: Path, roots: dict[str, FreshRoot]
) -> None:
    match instruction.name:
        case "RUN":
            root.call(instruction.arguments)
        case "COPY":
            *sources, target = instruction.arguments.split()
            origin = context
            if sources[0].startswith("--from="):
                origin = roots[sources.pop(0).removeprefix("--from=")].folder
            for source in sources:
                copy(origin / source.lstrip("/"), root.folder, target)
        case "LABEL" | "USER" | "VOLUME" | "EXPOSE" | "STOPSIGNAL":
            pass  # of the broker's process, not of the steps
        case "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
            pass
        case unknown:
            raise AssertionError(f"nobody here knows how to carry out {unknown}")


def copy(source: Path, root: Path, target: str) -> None:
    """As COPY does: a folder's content, or a file into what ends in a slash."""
    place = root / target.strip("/")
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    else:
        assert target.endswith("/"), "a file is copied under its own name"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)
