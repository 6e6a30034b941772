"""Faults of the embedded Discord, injected by tests, chaos and benchmarks.

`discord.faults.of(guild, ...)` is for some guilds, `discord.faults.everywhere` for all of them;
`discord.faults.gateway` (also `.gateway.of(shard, ...)`) and `discord.faults.rest` are for the whole bot.
Every fault is noted in `discord.faults.log` with its exact times, which compare with the arrival times of
the listener's frames. What lasts is a :class:`Fault` with `end`, which may be the context of a `with` block,
takes `for_s` (seconds) where that makes sense, and ends with the embedded Discord at the latest. What was
heard meanwhile says :func:`loopback.listening.since.heard_since`.

| fault | call |
|---|---|
| voice websocket closed with any code; 1001, 1006, 4015 keep the session | `of(g).voice.close(4006)` |
| the same, session kept or dropped against that rule | `of(g).voice.close(4006, keep_session=True)` |
| voice websocket's TCP connection reset (seen as 1006) | `of(g).voice.reset()` |
| voice websocket half open: open ones, new ones, both | `of(g).voice.half_open(Silence.NEW)` |
| voice heartbeats unacknowledged, everything else goes on | `of(g).voice.ignore_heartbeats()` |
| the next n IDENTIFYs, RESUMEs closed with codes | `of(g).voice.refuse_identifies([4006, 4006])` |
| UDP black hole, either direction or both, on one server or all | `of(g).udp.hole(5.0, direction=...)` |
| UDP loss, delay and jitter, drawn with a seed | `of(g).udp.loss(0.05, seed=1)`, `.delay(80, 40)` |
| keep-alives unanswered; RTCP from the server on or off | `of(g).udp.mute_keep_alives()`, `.rtcp(1.0)` |
| 4014 or 4022 bare, without a word from the main gateway | `of(g).voice.close(4014)` |
| 4014 or 4022 with the voice state null: put out of voice | `of(g).place.kick(code=4022)` |
| another voice server; after 4014 or 4022; endpoint null first | `of(g).place.move_server(code=4014)` |
| moved to another channel by an administrator | `of(g).place.move(channel)` |
| channel deleted; permissions lost | `of(g).place.delete_channel()`, `.lose_permission("speak")` |
| main gateway closed with any code, or reset | `gateway.close(4000)`, `gateway.reset()` |
| op 7; op 9, resumable or not | `gateway.reconnect()`, `gateway.invalidate(resumable=False)` |
| main gateway late; heartbeats unacknowledged | `gateway.latency(200, 50)`, `.ignore_heartbeats()` |
| REST 429, of one route or global | `rest.rate_limit("GET", "/users/@me", retry_after_s=1)` |
| REST 5xx, n times or for a time; late | `rest.fail(502, times=3)`, `rest.latency(500)` |

The limit of 120 gateway sends in 60 s is no fault but always in force: a connection that exceeds it is closed
with 4008, and `discord.gateway.sends` knows what every shard has sent and when. What is assumed of the real
Discord stands in :class:`loopback.settings.LoopbackSettings` and its `voice`.
"""

from __future__ import annotations

from loopback.faults.faults import Faults, GuildFaults
from loopback.faults.log import Fault, FaultKind, FaultLog
from loopback.voice.conditions import Silence
from loopback.voice.network import Direction

__all__ = ["Direction", "Fault", "FaultKind", "FaultLog", "Faults", "GuildFaults", "Silence"]
