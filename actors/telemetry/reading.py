"""How things stand, read from the rooms at the moment when somebody asks for the metrics."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypeAlias

from actors.media.spool import FRAME_S
from actors.telemetry.counting import kind_of

if TYPE_CHECKING:
    from actors.discord_client import Bot
    from actors.media import Media
    from actors.recovery import Watch
    from actors.voice import Clock, Links
    from supervision import TreeNode

Values: TypeAlias = "dict[tuple[str, ...], float]"
Reading: TypeAlias = "dict[str, Values]"


def read_streams(clock: Clock) -> Reading:
    """What the clock has sent, and what streams do."""
    status, totals = clock.status(), clock.totals()
    leads = {(str(stream.guild_id),): stream.ahead for stream in clock.all()}
    states = Counter(stream.doing for stream in clock.all())
    return {
        "ostinato_frames_sent_total": {(): totals.sent},
        "ostinato_frames_late_total": {(): totals.late},
        "ostinato_underruns_total": {(): totals.underruns},
        "ostinato_streams": {(state,): states.get(state, 0) for state in ("playing", "paused", "silent")},
        "ostinato_spool_lead_seconds": {
            key: frames * FRAME_S for key, frames in leads.items() if frames is not None
        },
        "ostinato_clock_late_ms": {(): status.worst_late_ms},
    }


def read_media(media: Media) -> Reading:
    """What was found without work."""
    cached = media.cached.items()
    return {
        "ostinato_cache_hits_total": {(name,): hits for name, (hits, _) in cached},
        "ostinato_cache_misses_total": {(name,): misses for name, (_, misses) in cached},
    }


def read_voice(links: Links, watch: Watch) -> Reading:
    """Every living voice link, and every guild whose connection is being recovered."""
    latencies = {(str(link.guild_id),): link.latency_ms for link in links.all()}
    return {
        "voice_latency_ms": {key: value for key, value in latencies.items() if value is not None},
        "voice_reconnect_attempts_current": {
            (str(guild_id),): attempts for guild_id, attempts in watch.attempts.items()
        },
    }


def read_gateway(client: Bot | None) -> Reading:
    """The client that is connected now."""
    up = client is not None and client.is_ready() and not client.gateway_away
    reading: Reading = {
        "ostinato_gateway_up": {(): float(up)},
        "ostinato_guilds": {(): 0 if client is None else len(client.guilds)},
    }
    if client is not None and math.isfinite(client.latency):
        reading["ostinato_gateway_latency_seconds"] = {(): client.latency}
    return reading


def read_tree(tree: TreeNode) -> Reading:
    """Actors by state, and the fullest mailbox of each kind."""
    states: Counter[str] = Counter()
    depths: defaultdict[str, int] = defaultdict(int)
    for node in tree.walk():
        if node.kind == "actor":
            kind = kind_of(node.path)
            states[node.state] += 1
            depths[kind] = max(depths[kind], node.mailbox_depth)
    return {
        "ostinato_actors": {(state,): count for state, count in states.items()},
        "ostinato_mailbox_depth": {(kind,): depth for kind, depth in depths.items()},
    }
