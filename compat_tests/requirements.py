"""What a suite needs on this machine. Missing: skipped, but a failure on CI."""

from __future__ import annotations

import importlib
import os
import shutil
import warnings
from types import ModuleType
from typing import NoReturn

import pytest

ours_only = pytest.mark.skipif(
    bool({"GODEL_COMPAT_BOOTSTRAP", "GODEL_COMPAT_COMMAND"} & set(os.environ)),
    reason="it starts godel-broker itself",
)


def missing(what: str) -> NoReturn:
    reason = f"{what} is missing: make compat installs it"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason} (on CI nothing may be missing)", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def need_module(name: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a client's own warnings say nothing about the broker
            return importlib.import_module(name)
    except ImportError:
        missing(f"the Python package {name}")


def need_program(name: str) -> str:
    return shutil.which(name) or missing(f"the program {name}")
