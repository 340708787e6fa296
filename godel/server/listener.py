"""One address on which clients are let in, and the address that they are told instead."""

from __future__ import annotations

import asyncio
import os
import socket

from godel.broker.context import Endpoint
from godel.server.connection import Connection
from godel.server.reception import Reception

DEFAULT_BACKLOG = 50
"""socket.listen.backlog.size"""
ADVICE = "choose another address with --listen"


class Listener:
    """Accepts connections for a `Reception`. `TCP_NODELAY` is set by the event loop."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._bound: list[socket.socket] = []
        self._servers: list[asyncio.AbstractServer] = []
        self.addresses: list[tuple[str, int]] = []
        """Where it listens, with the ports that were really bound."""

    async def bind(self, host: str, port: int) -> None:
        """Take every address of `host`; an empty one means all. Port 0 takes a free one.

        Raises OSError, with the address in its text, where that is not possible.
        """
        self._bound = await self._bind(host, port)
        self.addresses = [bound.getsockname()[:2] for bound in self._bound]

    async def start(
        self, advertised: Endpoint | None = None, *, backlog: int = DEFAULT_BACKLOG
    ) -> None:
        """Let clients in on what was bound. `advertised`: what they are told, if not that."""
        loop = asyncio.get_running_loop()
        endpoint = advertised or Endpoint(*self.addresses[0])
        try:
            while self._bound:
                server = await loop.create_server(
                    lambda: Connection(self._reception, endpoint),
                    sock=self._bound[0],
                    backlog=backlog,
                )
                self._servers.append(server)
                self._bound.pop(0)
        except BaseException:
            self.stop_accepting()
            raise

    @property
    def port(self) -> int:
        return self.addresses[0][1]

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections that are open stay."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for bound in self._bound:
            bound.close()
        self._bound.clear()

    async def _bind(self, host: str, port: int) -> list[socket.socket]:
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except OSError as error:
            raise OSError(
                error.errno, f"cannot listen on {host}:{port}: {error.strerror}; {ADVICE}"
            ) from error
        sockets: list[socket.socket] = []
        try:
            for family, kind, protocol, _, address in dict.fromkeys(infos):
                # The first free port that is found is taken on the host's other addresses, too.
                wanted = port or (sockets[0].getsockname()[1] if sockets else 0)
                sockets.append(
                    _listening(family, kind, protocol, (address[0], wanted, *address[2:]))
                )
        except BaseException:
            for bound in sockets:
                bound.close()
            raise
        return sockets


def _listening(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    created = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        created.setblocking(False)
        created.bind(address)
    except OSError as error:
        created.close()
        raise OSError(
            error.errno, f"cannot listen on {address[0]}:{address[1]}: {error.strerror}; {ADVICE}"
        ) from error
    return created
