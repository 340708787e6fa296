"""Listener addresses as Kafka writes them: `NAME://HOST:PORT`, an IPv6 host in brackets."""

from __future__ import annotations

from typing import NamedTuple

from godel.config.setting import InvalidValue

WILDCARD_HOSTS = ("", "0.0.0.0", "::")


class Listener(NamedTuple):
    """One address to listen on, or to tell clients. An empty host means every interface."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}://{host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        return self.host in WILDCARD_HOSTS


def parse_listener(text: str) -> Listener:
    """`PLAINTEXT://127.0.0.1:9092` or, without a name, `127.0.0.1:9092`. Raises `InvalidValue`."""
    name, separator, address = text.rpartition("://")
    if not separator:
        name = "PLAINTEXT"
    host, colon, port_text = address.rpartition(":")
    if not colon or not (port_text.isascii() and port_text.isdigit()) or len(port_text) > 5:
        raise InvalidValue(f"{text!r} is not NAME://HOST:PORT")
    port = int(port_text)
    if port > 65535:
        raise InvalidValue(f"{text!r}: the port must be at most 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidValue(f"{text!r}: put an IPv6 address in brackets, as [::1]:9092")
    if not name.replace("_", "").replace("-", "").isalnum() or any(c in host for c in "/ []@"):
        raise InvalidValue(f"{text!r} is not NAME://HOST:PORT")
    return Listener(name.upper(), host, port)


def parse_listeners(texts: tuple[str, ...]) -> tuple[Listener, ...]:
    """All of a list; no name and no address twice. Raises `InvalidValue`."""
    listeners = tuple(parse_listener(text) for text in texts)
    if len({listener.name for listener in listeners}) != len(listeners):
        raise InvalidValue("each listener must have a different name")
    ports = [(each.host, each.port) for each in listeners if each.port]
    if len(set(ports)) != len(ports):
        raise InvalidValue("each listener must have a different port")
    return listeners
