"""The integration tests of kafka-python, from its source package, which has no fixtures' services.

They run once, in one process, as its authors run them (pytest-timeout ends one that hangs), in an
environment of their own with the package's sources in front.
"""

from __future__ import annotations

import sys
import tarfile
import venv
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from compat_tests.suites.commands import CACHE, CannotFetch, prepare, run_limited
from compat_tests.suites.results import Result, one_line

NAME = "kafka-python"
VERSION = "3.0.12"
FOLDER = CACHE / NAME
SOURCE = FOLDER / f"kafka_python-{VERSION}"
PYTHON = FOLDER / "venv" / "bin" / "python"
READY = FOLDER / ".ready"
TEST_TIMEOUT_S = 120
SUITE_TIMEOUT_S = 900.0
SETTINGS = " --advertise {host}:{port}"
# What the tests import and the source package leaves out: a broker that somebody else started.
SERVICE = """\
class ExternalService:
    def __init__(self, host, port):
        self.host = host
        self.port = port


class SpawnedService:
    def __init__(self, *arguments):
        raise NotImplementedError("only brokers that run already")
"""


def fetch() -> None:
    if READY.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source_only = ["--no-deps", "--no-binary", "kafka-python"]
    prepare([*pip, "download", *source_only, f"kafka-python=={VERSION}"], FOLDER)
    archive = FOLDER / f"kafka_python-{VERSION}.tar.gz"
    if not archive.exists():
        raise CannotFetch(f"pip left no {archive.name}")
    with tarfile.open(archive) as packed:
        packed.extractall(FOLDER, filter="data")
    (SOURCE / "test" / "__init__.py").touch()  # or Python's own `test` is found first
    (SOURCE / "test" / "service.py").write_text(SERVICE)
    venv.create(PYTHON.parents[1], with_pip=True)
    needed = ["pytest", "pytest-mock", "pytest-timeout", "python-snappy", "lz4", "zstandard"]
    prepare([PYTHON, "-m", "pip", "--quiet", "install", "crc32c", *needed], FOLDER)
    READY.touch()


def run(bootstrap: str, folder: Path, *, only: str = "") -> Iterator[Result]:
    report = folder / "report.xml"
    log = folder / "pytest.log"
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pytest",
        "test/integration",
        "-p",
        "no:cacheprovider",
    ]
    # These start brokers of their own.
    command += ["--ignore", "test/integration/test_ssl_integration.py"]
    command += [f"--junitxml={report}", f"--timeout={TEST_TIMEOUT_S}", "-o", "log_level=INFO"]
    if only:
        # By function: what stands in brackets has no place in an expression.
        command += ["-k", only.rpartition("::")[2].partition("[")[0]]
    environment = {
        "KAFKA_URI": f"kafka://{bootstrap}",
        "KAFKA_VERSION": "4.2.0",
        "KAFKA_ROOT": str(folder),  # must be a folder, is not looked into
        "PYTHONPATH": str(SOURCE),
    }
    run_limited(command, SOURCE, environment=environment, log=log, timeout_s=SUITE_TIMEOUT_S)
    if not report.exists():  # a test hung and pytest-timeout ended the process, or worse
        yield Result("the run itself", "fail", 0.0, one_line(log.read_text()[-160:]))
        return
    for case in ET.parse(report).getroot().iter("testcase"):
        yield read_case(case)


def read_case(case: ET.Element) -> Result:
    module = case.get("classname", "").rpartition(".")[2]
    outcome, reason = "pass", ""
    for kind, meaning in (("skipped", "skip"), ("failure", "fail"), ("error", "fail")):
        element = case.find(kind)
        if element is not None:
            outcome, reason = meaning, one_line(element.get("message", ""))
    return Result(f"{module}::{case.get('name')}", outcome, float(case.get("time", 0)), reason)
