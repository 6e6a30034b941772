"""The bot's standing in one guild's voice, as the main gateway tells it; and how to change it (op 4).

The link asks here for credentials. Updates come in through `Protocol`, at any time and unasked: a kick, a
move, a new voice server.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, cast

import anyio
import discord

from actors.voice.causes import Fault
from actors.voice.changes import Changes
from actors.voice.errors import VoiceError
from actors.voice.gateway import Credentials
from actors.voice.places import check_permissions, count_people
from actors.voice.turns import AllTurns, Rank

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

#: How long the main gateway may take to answer a join.
JOIN_TIMEOUT_S: Final = 5.0
#: How long a join of the channel where the bot already is may take to bring new credentials; it may bring
#: none at all.
REFRESH_TIMEOUT_S: Final = 1.0
#: How long the main gateway may take to confirm a leave.
LEAVE_TIMEOUT_S: Final = 2.0
#: A leave that is confirmed later than that, but within this time, is still no kick.
LATE_S: Final = 10.0
#: A move is told by two messages, the new channel and the new server. Mostly in this order, which is promised
#: nowhere: a server that came so shortly before the channel belongs to it.
TOGETHER_S: Final = 0.5
#: How long music may wait for the way to the stage.
STAGE_TIMEOUT_S: Final = 3.0


class Standing:
    """Channel, session and server of the bot in one guild.

    :ivar channel_id: where the bot should be; a move by an administrator changes it
    :ivar present: the main gateway says that the bot is in a voice channel; None before it said anything
    :ivar main_session: in which session of the main gateway the bot took its place; another one must be told
    :ivar urgent: somebody waits for the connection that is being made
    :ivar on_kicked: called when the bot was put out of the channel without having asked for it
    :ivar on_server: called when new credentials came without having been asked for
    :ivar on_gone: called when the server is gone, and another one will be told later
    :ivar on_moved: called with the id of the new channel
    """

    def __init__(self, client: discord.Client, guild_id: int, channel_id: int, turns: AllTurns) -> None:
        self.client = client
        self.guild_id = guild_id
        self.channel_id = channel_id
        self.present: bool | None = None
        self.on_kicked: Callable[[], None] = _ignore
        self.on_server: Callable[[], None] = _ignore
        self.on_gone: Callable[[], None] = _ignore
        self.on_moved: Callable[[int], None] = _ignore_moved
        self.main_session: object = None
        self.urgent = False
        self._changes = Changes()
        self._turns = turns
        self._session_id: str | None = None
        self._server: tuple[str, str] | None = None  # token, endpoint
        self._climbing = 0  # attempts to get on the stage that are under way
        self._affirming: int | None = None  # the channel that a new main session is being told
        self._null_until = 0.0  # a leave that was not confirmed in time may be until then
        self._put_out = False  # kicked: for this standing that is final
        self._served_at = -TOGETHER_S  # when a server was last told unasked
        self._asked = 0  # requests under way: what arrives meanwhile is an answer, not a surprise

    @property
    def credentials(self) -> Credentials | None:
        """What to identify with, if all of it is known."""
        user = self.client.user
        if self._server is None or self._session_id is None or user is None:
            return None
        token, endpoint = self._server
        others = self._present() - {user.id}
        return Credentials(self.guild_id, self.channel_id, user.id, self._session_id, token, endpoint, others)

    def _present(self) -> frozenset[int]:
        """Who is in the channel, as discord.py remembers it."""
        guild = self.client.get_guild(self.guild_id)
        channel = guild.get_channel(self.channel_id) if guild is not None else None
        return frozenset(getattr(channel, "voice_states", ()))

    # -- the main gateway's side ----

    def take_state(self, channel_id: int | None, session_id: str) -> bool:
        """A VOICE_STATE_UPDATE of the bot itself; True if by it the bot has arrived in a channel."""
        known = (self._session_id, self.channel_id) if self.present else None
        was_there, self.present = self.present, channel_id is not None
        if channel_id is None:
            self._take_null(bool(was_there))
        else:
            self._session_id = session_id
            if channel_id != self.channel_id:
                self.channel_id = channel_id
                self.on_moved(channel_id)
                if time.monotonic() - self._served_at < TOGETHER_S:
                    self.on_server()  # it was taken for the former channel's
        self._changes.announce()
        return channel_id is not None and known != (session_id, channel_id)

    def hear(self, channel_id: int | None) -> None:
        """As `take_state`, for what it may have missed; nothing, if it is known. Nobody else changes the
        session.
        """
        if self.present and channel_id != self.channel_id:
            self.take_state(channel_id, self._session_id or "")

    def look(self) -> bool:
        """A new main session brings where the bot is; whether it was moved while there was none. If it is
        nowhere, its place may as well have ended with the former session.
        """
        guild, before = self.client.get_guild(self.guild_id), self.channel_id
        voice = None if guild is None else guild.me.voice
        if voice is not None and voice.channel is not None:
            self.hear(voice.channel.id)
        return self.channel_id != before

    def _take_null(self, was_there: bool) -> None:
        """It may answer a leave; if it comes during a join, and the bot was there, it is a kick."""
        answer = time.monotonic() < self._null_until or (self._asked and not was_there)
        self._null_until = 0.0
        if not answer:
            self._put_out = True
            self.on_kicked()

    def take_server(self, token: str | None, endpoint: str | None) -> None:
        """A VOICE_SERVER_UPDATE; one without an endpoint says that the server is gone and another will
        follow.
        """
        server = None if token is None or endpoint is None else (token, endpoint.removeprefix("wss://"))
        if server is not None and server == self._server:
            return  # said again, as after a resume of the main gateway
        self._server = server
        if server is None and not self._asked:
            self.on_gone()
        elif not self._asked and self._affirming != self.channel_id:
            self._served_at = time.monotonic()
            self.on_server()
        self._changes.announce()

    @contextmanager
    def taking_stage(self) -> Iterator[None]:
        """While the bot tries to get on the stage of a stage channel."""
        self._climbing += 1
        try:
            yield
        finally:
            self._climbing -= 1
            self._changes.announce()

    # -- the link's side ----

    async def on_stage(self) -> None:
        """Wait until no attempt to get on a stage is under way, for a bounded time."""
        await self._changes.until(lambda: not self._climbing, STAGE_TIMEOUT_S)

    async def join(self) -> Credentials:
        """Enter the channel and wait for credentials.

        :raises VoiceError: if the main gateway does not answer or cannot be asked
        """
        await self._turn()
        return await self._ask_credentials(JOIN_TIMEOUT_S)

    async def refresh(self) -> Credentials:
        """New credentials for the channel where the bot is: by joining it again, or by leaving it first.

        :raises VoiceError: as `join`
        """
        await self._turn()
        try:
            return await self._ask_credentials(REFRESH_TIMEOUT_S)
        except VoiceError as error:
            if error.fault is not Fault.NO_ANSWER:
                raise
            return await self.renew()

    async def renew(self) -> Credentials:
        """Leave the channel and join it again: Discord may give another voice server.

        :raises VoiceError: as `join`
        """
        await self._turn(2)  # at once: nobody is to wait for the second one outside the channel
        await self._leave(LEAVE_TIMEOUT_S)
        return await self._ask_credentials(JOIN_TIMEOUT_S)

    async def leave(self, timeout_s: float = LEAVE_TIMEOUT_S) -> bool:
        """Leave the channel; True once the main gateway has confirmed it.

        :raises VoiceError: if the main gateway cannot be asked
        """
        await self._turn_of_a_person()
        return await self._leave(timeout_s)

    async def _leave(self, timeout_s: float) -> bool:
        self._asked += 1
        try:
            self._null_until = time.monotonic() + LATE_S
            await self._change(None)
            return await self._changes.until(lambda: self.present is False, timeout_s)
        except VoiceError:
            self._null_until = 0.0  # nothing was asked
            raise
        finally:
            self._asked -= 1

    async def move(self, channel_id: int, timeout_s: float) -> None:
        """Ask for another channel; the answer comes as if an administrator had moved the bot.

        :raises VoiceError: if it does not come
        """
        await self._turn_of_a_person()
        async with self._entering(channel_id):
            moved = await self._changes.until(
                lambda: self._put_out or self.channel_id == channel_id, timeout_s
            )
        if self._put_out or not moved:
            words = "Discord did not answer the request to change the channel"
            raise VoiceError(None, words, Fault.NO_ANSWER)

    async def affirm(self, *, moved: bool = False) -> None:
        """Tell a new main session where the bot is.

        The credentials that this brings are for later, unless it was moved meanwhile: the voice session goes
        on as long as it lives.
        """
        try:
            await self._turn()
            self._affirming, before = None if moved else self.channel_id, self._server
            async with self._entering(self.channel_id):
                await self._changes.until(
                    lambda: self._put_out or self._server is not before, REFRESH_TIMEOUT_S
                )
        except VoiceError:
            pass  # the end of the voice session will ask again
        finally:
            self._affirming = None

    async def _ask_credentials(self, timeout_s: float) -> Credentials:
        self._asked += 1
        self._server = None
        try:
            async with self._entering(self.channel_id):
                await self._changes.until(
                    lambda: self.credentials is not None and bool(self.present), timeout_s
                )
        finally:
            self._asked -= 1
        credentials = self.credentials
        if credentials is None:
            words = "Discord did not answer the request to join the channel"
            raise VoiceError(None, words, Fault.NO_ANSWER)
        return credentials

    async def may_open(self) -> None:
        """Wait for the turn to open a voice websocket."""
        await self._turns.openings.take(self._rank())

    async def _turn(self, sends: int = 1) -> None:
        """Wait until op 4 may be sent, so often. What the main gateway says meanwhile is no answer to it.

        :raises VoiceError: there is no way into the channel any more
        """
        check_permissions(self._channel())
        await self._turns.sends(self._guild().shard_id).take(self._rank(), sends)

    async def _turn_of_a_person(self) -> None:
        await self._turns.sends(self._guild().shard_id).take(Rank.ASKED)

    def _rank(self) -> Rank:
        if self.urgent:
            return Rank.ASKED
        try:
            return Rank.LISTENED if count_people(self._guild(), self._channel()) else Rank.UNHEARD
        except VoiceError:
            return Rank.UNHEARD

    def _channel(self) -> discord.VoiceChannel | discord.StageChannel:
        channel = self._guild().get_channel(self.channel_id)
        if channel is None:
            raise VoiceError(None, "the voice channel does not exist any more", Fault.CHANNEL_DELETED)
        return cast("discord.VoiceChannel | discord.StageChannel", channel)

    def _guild(self) -> discord.Guild:
        guild = self.client.get_guild(self.guild_id)
        if guild is None or guild.unavailable:
            raise VoiceError(None, "the guild is not available", Fault.GATEWAY_AWAY)
        return guild

    @asynccontextmanager
    async def _entering(self, channel_id: int) -> AsyncIterator[None]:
        """Ask for a channel, and wait for the answer inside. A kick seen before withdraws the request; one
        seen during it may have crossed it, which would bring the bot back: it leaves at once.

        :raises VoiceError: the bot was kicked before, or cannot ask
        """
        self._check_welcome()
        try:
            await self._change(channel_id)
            yield
        finally:
            if self._put_out:
                with anyio.move_on_after(LEAVE_TIMEOUT_S, shield=True):
                    await self._undo()

    def _check_welcome(self) -> None:
        if self._put_out:
            raise VoiceError(None, "put out of the channel", Fault.KICKED)

    async def _undo(self) -> None:
        try:
            await self._change(None)
        except VoiceError:
            pass  # no way to Discord: what was asked for did not get there either

    async def _change(self, channel_id: int | None) -> None:
        guild = self._guild()
        channel = None if channel_id is None else discord.Object(channel_id)
        try:
            await guild.change_voice_state(channel=channel, self_deaf=channel is not None)
        except (
            Exception
        ) as error:  # while the main gateway reconnects this fails in several undocumented ways
            raise VoiceError(None, "the main gateway is not connected", Fault.GATEWAY_AWAY) from error


def _ignore() -> None:
    pass


def _ignore_moved(_channel_id: int) -> None:
    pass
