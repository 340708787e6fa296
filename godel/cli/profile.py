"""The profile file: what a person would otherwise type with every command.

`$XDG_CONFIG_HOME/godel/config.toml` (`~/.config/godel/config.toml`), or what GODEL_CONFIG names:

    bootstrap = "127.0.0.1:9092"
    output = "table"

    [profiles.staging]
    bootstrap = "kafka-1.example.org:9092,kafka-2.example.org:9092"
    timeout = 60

A profile (`--profile`, GODEL_PROFILE, or `profile = "..."` at the top) overrides what stands at the
top; flags and environment override both.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from godel.cli.output import Format

KEYS = ("bootstrap", "output", "timeout", "client_id", "profile")


class InvalidProfile(Exception):
    """The profile file cannot be used."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the file says; None where it says nothing."""

    bootstrap: str | None = None
    output: Format | None = None
    timeout_s: float | None = None
    client_id: str | None = None


def path() -> Path:
    """Where the file is expected."""
    if named := os.environ.get("GODEL_CONFIG"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "godel" / "config.toml"


def load(name: str | None) -> Profile:
    """The profile of a name, or the one that the file chooses. Raises `InvalidProfile`."""
    file = path()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if name is not None:
            raise InvalidProfile(f"profile {name}: there is no {file}") from None
        return Profile()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProfile(f"{file} cannot be read: {error}") from None
    try:
        return parse(text, name)
    except (InvalidProfile, tomllib.TOMLDecodeError) as error:
        raise InvalidProfile(f"{file}: {error}") from None


def parse(text: str, name: str | None) -> Profile:
    """A profile of the file's text."""
    top = tomllib.loads(text)
    profiles = top.pop("profiles", {})
    chosen = name or top.get("profile")
    values = dict(top)
    if chosen is not None:
        if not isinstance(profiles, dict) or not isinstance(profiles.get(chosen), dict):
            raise InvalidProfile(f"there is no profile {chosen}{_nearest(chosen, profiles)}")
        values |= profiles[chosen]
    return _checked(values)


def _checked(values: Mapping[str, Any]) -> Profile:
    for key in values:
        if key not in KEYS:
            raise InvalidProfile(f"unknown key {key}{_nearest(key, KEYS)}")
    for key in ("bootstrap", "output", "client_id"):
        if not isinstance(values.get(key, ""), str):
            raise InvalidProfile(f"{key} must be a text")
    timeout = values.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float)):
        raise InvalidProfile("timeout must be a number of seconds")
    output = values.get("output")
    if output is not None and output not in list(Format):
        raise InvalidProfile(f"output must be one of {', '.join(Format)}")
    return Profile(
        bootstrap=values.get("bootstrap"),
        output=Format(output) if output else None,
        timeout_s=None if timeout is None else float(timeout),
        client_id=values.get("client_id"),
    )


def _nearest(name: str, known: object) -> str:
    names = [str(each) for each in known] if isinstance(known, Mapping | tuple) else []
    nearest = get_close_matches(name, names, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
