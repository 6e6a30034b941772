"""An embedded Discord for tests, demo, chaos and benchmarks: REST, gateway, voice, on 127.0.0.1 alone.

Imports nothing of the bot: whoever speaks Discord's protocol can be run against it.
"""

from __future__ import annotations

from loopback.channels import Channel, DirectChannel, StageChannel, TextChannel, VoiceChannel
from loopback.errors import NotAnswered, UserMistake
from loopback.guild import Guild
from loopback.intents import Intent
from loopback.interactions import Interaction
from loopback.message import Message
from loopback.permissions import Permission
from loopback.server import Loopback
from loopback.settings import LoopbackSettings
from loopback.user import ScriptedUser
from loopback.waiting import NotSeen

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
