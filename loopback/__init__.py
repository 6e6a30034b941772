"""An embedded Discord for tests, demo, chaos and benchmarks: REST, gateway, voice, on 127.0.0.1 alone.

Imports nothing of the bot: whoever speaks Discord's protocol can be run against it.
"""

from __future__ import annotations

from loopback.errors import NotAnswered, UserMistake
from loopback.gateway.intents import Intent
from loopback.server import Loopback
from loopback.settings import LoopbackSettings
from loopback.waiting import NotSeen
from loopback.world.channels import Channel, DirectChannel, StageChannel, TextChannel, VoiceChannel
from loopback.world.guild import Guild
from loopback.world.interactions import Interaction
from loopback.world.message import Message
from loopback.world.permissions import Permission
from loopback.world.user import ScriptedUser

__all__ = [
    "Channel",
    "DirectChannel",
    "Guild",
    "Intent",
    "Interaction",
    "Loopback",
    "LoopbackSettings",
    "Message",
    "NotAnswered",
    "NotSeen",
    "Permission",
    "ScriptedUser",
    "StageChannel",
    "TextChannel",
    "UserMistake",
    "VoiceChannel",
]
