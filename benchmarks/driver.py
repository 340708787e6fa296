"""load.c on librdkafka, so that the client is seldom the limit: built once, run with options."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from brokers import CACHE, HERE

# The newest librdkafka whose source a package registry carries; Debian's is too old to be fair.
LIBRDKAFKA_PACKAGE = "@confluentinc/kafka-javascript@1.10.1"
TIMEOUT_S = 300


def build_driver() -> Path:
    """load.c against the librdkafka inside the npm package, built once into .cache/."""
    driver = CACHE / "load"
    source = HERE / "load.c"
    if driver.exists() and driver.stat().st_mtime > source.stat().st_mtime:
        return driver
    library = build_librdkafka()
    include = CACHE / "include"
    include.mkdir(exist_ok=True)
    link = include / "librdkafka"
    if not link.exists():
        link.symlink_to(library)
    flags = [f"-I{include}", f"-L{library}", "-lrdkafka", "-lpthread", f"-Wl,-rpath,{library}"]
    subprocess.run(["gcc", "-O2", "-o", str(driver), str(source), *flags], check=True)
    return driver


def build_librdkafka() -> Path:
    library = CACHE / "package" / "deps" / "librdkafka" / "src"
    if (library / "librdkafka.so.1").exists():
        return library
    CACHE.mkdir(parents=True, exist_ok=True)
    print("building librdkafka (once, a minute or two) ...", file=sys.stderr)
    packed = subprocess.run(
        ["npm", "pack", "--silent", LIBRDKAFKA_PACKAGE],
        cwd=CACHE,
        check=True,
        capture_output=True,
        text=True,
    )
    subprocess.run(["tar", "xzf", packed.stdout.split()[-1]], cwd=CACHE, check=True)
    with (CACHE / "librdkafka.log").open("wb") as log:
        for step in (["./configure", "--disable-syslog"], ["make", "-j2", "libs"]):
            subprocess.run(step, cwd=library.parent, check=True, stdout=log, stderr=log)
    return library


def has_zstd(driver: Path) -> bool:
    linked = subprocess.run(["ldd", str(driver)], check=True, capture_output=True, text=True)
    return "libzstd" in linked.stdout


class Load:
    """One run of the driver; `report` waits for its figures."""

    def __init__(
        self, driver: Path, mode: str, bootstrap: str, topic: str, count: int, *options: str
    ) -> None:
        self._words = [mode, "-b", bootstrap, "-t", topic, "-n", str(count), *options]
        self._process = subprocess.Popen(
            [str(driver), *self._words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def report(self) -> dict[str, float]:
        try:
            out, err = self._process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise SystemExit(f"load {self._words}: not done in {TIMEOUT_S} s") from None
        if self._process.returncode != 0:
            raise SystemExit(f"load {self._words}: {out}{err}")
        report: dict[str, float] = json.loads(out.splitlines()[-1])
        return report
