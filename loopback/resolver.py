"""Name resolution for clients: whatever host they dial, they come here."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult


class EverythingHere(AbstractResolver):
    """Every name is this server, its port included: aiohttp honours the port of an answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""
