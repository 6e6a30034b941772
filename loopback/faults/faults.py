"""The door to all faults of one embedded Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.faults.gateway import GatewayFaults
from loopback.faults.log import FaultLog
from loopback.faults.place import PlaceFaults
from loopback.faults.rest import RestFaults
from loopback.faults.scope import Scope
from loopback.faults.udp import UdpFaults
from loopback.faults.voice import VoiceFaults

if TYPE_CHECKING:
    from loopback.gateway.endpoint import Gateway
    from loopback.rest.api import Rest
    from loopback.world.guild import Guild
    from loopback.world.world import World


class GuildFaults:
    """The faults of one scope: `voice` of its websockets, `udp` of its datagrams, `place` in its channels."""

    def __init__(self, scope: Scope) -> None:
        self.voice = VoiceFaults(scope)
        self.udp = UdpFaults(scope)
        self.place = PlaceFaults(scope)


class Faults:
    """`discord.faults.of(guild).voice.close(4006)`; `discord.faults.everywhere.udp.hole(5.0)`."""

    def __init__(self, world: World, gateway: Gateway, rest: Rest) -> None:
        self.log = FaultLog()
        self.gateway = GatewayFaults(gateway, self.log)
        self.rest = RestFaults(rest, self.log)
        self._world = world
        self.everywhere = GuildFaults(Scope(world, self.log))
        """For every guild, also for those that are made later."""

    def of(self, *guilds: Guild) -> GuildFaults:
        """For these guilds alone."""
        return GuildFaults(Scope(self._world, self.log, frozenset(guild.id for guild in guilds)))

    def end_all(self) -> None:
        """Put everything right; what was half open is cut."""
        self.log.end_all()
        self._world.voice.cut_silent()
