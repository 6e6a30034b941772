"""What can be chosen about the embedded Discord, each with its default and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from loopback.gateway.intents import PRIVILEGED, Intent
from loopback.voice.protocol import VoiceSettings

VoiceServerOnRejoin = Literal["always", "never", "if_unconnected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackSettings:
    """Choices of one embedded Discord. Those of the voice servers, DAVE among them, are in VoiceSettings.

    Assumptions about the real Discord that could not be verified are fields rather than constants, so that
    one place says what is assumed and a test can try the opposite.
    """

    host: str = "127.0.0.1"
    """The only address that is ever bound: nothing outside of the machine can reach the loopback."""

    port: int = 0
    """TLS port; 0 = the operating system chooses, so that several loopbacks run side by side."""

    gateway_latency_ms: float = 0.0
    """Delay of everything the gateway sends. 0 keeps tests quick; Discord's own is 20-30 ms, so benchmarks
    of faults set 25. It matters: without any, stock discord.py hangs for 30 s after a close with 4014,
    because the new voice server is told in the same instant.
    """

    heartbeat_interval_ms: int = 41_250
    """Sent in HELLO; Discord's own value. A connection without a heartbeat for 1.5 intervals is closed
    (4009).
    """

    replay_events: int = 2_000
    """Events a session keeps for RESUME; older ones make the session unresumable (op 9)."""

    resume_window_s: float = 90.0
    """How long a session outlives its connection; Discord does not publish the figure."""

    voice_grace_s: float = 15.0
    """How long the bot stays in a voice channel once no session of it is left (assumption)."""

    voice_server_on_rejoin: VoiceServerOnRejoin = "if_unconnected"
    """Whether op 4 for the current channel brings a VOICE_SERVER_UPDATE (assumption, facts/discord.md 8)."""

    voice_state_first: bool = True
    """Whether who joins or moves is told first the state and then the server, as has always been seen; the
    documentation promises no order (assumption).
    """

    numeric_voice_endpoint: bool = False
    """Whether voice servers are stated by address instead of by name: for clients that resolve names by
    themselves.
    """

    close_voice_on_leave: bool = True
    """Whether leaving, or being put out, closes the voice websocket with 4014 at once, as has been seen; else
    the client knows it by the main gateway alone, and its session lives until it hangs up (assumption).
    """

    close_voice_on_move: bool = False
    """Whether moving the bot closes its voice websocket with 4014 at once, or leaves that to the new
    IDENTIFY.
    """

    drop_muted: bool = True
    """Whether nobody hears a bot that is suppressed or muted by the guild, whatever it sends (assumption)."""

    voice: VoiceSettings = field(default_factory=VoiceSettings)
    """What is assumed about the voice servers; see its own fields."""

    granted_intents: Intent = PRIVILEGED
    """Privileged intents switched on in the developer portal; asking for others closes with 4014."""

    max_concurrency: int = 16
    """Identifies per 5 s as /gateway/bot states it. Discord gives 1 to small bots; 16 spares tests the wait.
    """

    recommended_shards: int = 1
    """What /gateway/bot recommends; clients that shard by themselves start as many."""

    gateway_sends_per_minute: int = 120
    """Commands a connection may send in 60 s before it is closed with 4008."""

    interaction_deadline_s: float = 3.0
    """An interaction unanswered for this long is unknown (10062) from then on."""

    interaction_token_s: float = 900.0
    """How long follow-ups and edits are possible after the first answer."""

    rate_limits: bool = True
    """Whether the buckets of REST routes are enforced with 429; the headers are sent in any case."""

    shutdown_timeout_s: float = 2.0
    """How long leaving the block waits for open connections before it cuts them."""
