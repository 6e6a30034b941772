"""Where connections to Discord go: to Discord, or to the address in the settings.

discord.py sends all its traffic (REST and gateway; this project's voice gateway does so too) through the
connector that it is given, which is public API. So another Discord needs no patch: names are resolved to the
other address, with its port, and its certificate authority is trusted besides the system's.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from actors.tls import make_ssl_context

if TYPE_CHECKING:
    from actors.settings import Address, Settings

_HOSTS = frozenset({"discord.com", "discord.gg", "cdn.discordapp.com", "media.discordapp.net"})
_SUFFIXES = (".discord.gg", ".discord.media")


def is_discord(host: str) -> bool:
    """Whether a host name is one of those that ``discord_address`` stands in for."""
    host = host.lower().rstrip(".")
    return host in _HOSTS or host.endswith(_SUFFIXES)


class Resolver(AbstractResolver):
    """Resolves Discord's names to another address; every other name as the system does.

    The answer's ``hostname`` stays the asked one: it is the name that the certificate is verified against.
    """

    def __init__(self, discord_address: Address) -> None:
        self._discord = discord_address
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of a host; ``OSError`` when it has none."""
        if not is_discord(host):
            return await self._system.resolve(host, port, family)
        found = await self._system.resolve(self._discord.host, self._discord.port, family)
        return [ResolveResult(**{**address, "hostname": host}) for address in found]

    async def close(self) -> None:
        """Nothing to give back: the system's resolver runs in the loop's own threads."""
        await self._system.close()


def make_connector(settings: Settings) -> aiohttp.TCPConnector:
    """A connector for ``discord.Client(connector=...)`` and for the voice gateway.

    Call it in the running loop. The caller owns it and closes it; discord.py closes the one it was given.
    """
    # discord.py limits its own requests; a limit of connections would make the gateways of many guilds wait.
    context = make_ssl_context(settings.discord_ca)
    if settings.discord_address is None:
        return aiohttp.TCPConnector(limit=0, ssl=context)
    return aiohttp.TCPConnector(limit=0, ssl=context, resolver=Resolver(settings.discord_address))
