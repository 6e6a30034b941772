"""The connector: Discord's names go to the address in the settings, only they; certificates are verified."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc
from asyncio import sslproto
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from actors.network import Resolver, is_discord, make_connector
from actors.settings import Address, Settings
from actors.tls import TLS_BUFFER_BYTES, make_ssl_context, slim_tls
from loopback.certificates import Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

DISCORD_URLS = (
    "https://discord.com/api/v10/users/@me",
    "https://gateway.discord.gg/",
    "https://loopback1.discord.media:2053/",
    "https://cdn.discordapp.com/x.png",
    "https://media.discordapp.net/x.png",
)


@asynccontextmanager
async def https_server(certificates: Certificates) -> AsyncIterator[Address]:
    """A server that answers with the host it was asked for."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
        yield Address("127.0.0.1", runner.addresses[0][1])
    finally:
        await runner.cleanup()


def settings(address: Address | None = None, ca: Path | None = None, folder: str = "/data") -> Settings:
    return Settings(
        data_dir=Path(folder), admin_socket=Path(folder) / "a", discord_address=address, discord_ca=ca
    )


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("discord.com", True),
        ("DISCORD.com.", True),
        ("gateway-us-east1-b.discord.gg", True),
        ("rotterdam1234.discord.media", True),
        ("cdn.discordapp.com", True),
        ("media.discordapp.net", True),
        ("evildiscord.com", False),
        ("discord.com.example.org", False),
        ("notdiscord.gg", False),
        ("example.org", False),
    ],
)
def test_which_names_are_discords(host: str, *, ours: bool) -> None:
    assert is_discord(host) is ours


async def test_all_of_discord_is_reached_at_the_address_and_verified(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with https_server(certificates) as address:
        connector = make_connector(settings(address, certificates.ca_file))
        async with aiohttp.ClientSession(connector=connector) as session:
            for url in DISCORD_URLS:
                async with session.get(url) as answer:
                    assert url.startswith(f"https://{await answer.text()}/")


async def test_an_address_may_be_a_name(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with https_server(certificates) as address:
        connector = make_connector(settings(Address("localhost", address.port), certificates.ca_file))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(DISCORD_URLS[0]) as answer,
        ):
            assert answer.status == 200


async def test_without_the_authority_the_certificate_is_refused(tmp_path: Path) -> None:
    async with (
        https_server(make_certificates(tmp_path)) as address,
        aiohttp.ClientSession(connector=make_connector(settings(address))) as session,
    ):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(DISCORD_URLS[0])


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with https_server(certificates) as address:
        connector = make_connector(settings(address, certificates.ca_file))
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get("https://a.b.discord.media/")


async def test_other_names_are_resolved_as_ever() -> None:
    resolver = Resolver(Address("127.0.0.1", 1))
    (first, *_) = await resolver.resolve("localhost", 443)
    assert (first["port"], first["hostname"]) == (443, "localhost")
    (first, *_) = await resolver.resolve("discord.com", 443)
    assert (first["host"], first["port"], first["hostname"]) == ("127.0.0.1", 1, "discord.com")
    await resolver.close()


async def test_without_an_address_nothing_is_redirected() -> None:
    connector = make_connector(settings())
    assert connector.limit == 0
    await connector.close()


def test_where_the_system_trusts_nobody_certifi_steps_in(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = ssl.DefaultVerifyPaths(None, None, "", "", "", "")  # type: ignore[arg-type] # typeshed says str; None is real
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    make_ssl_context.cache_clear()
    context = make_ssl_context(None)
    make_ssl_context.cache_clear()
    assert context.cert_store_stats()["x509_ca"] > 50
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_a_tls_connection_has_a_small_receive_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)
    context = ssl.create_default_context()
    slim_tls()
    tracemalloc.start()
    try:
        protocol = sslproto.SSLProtocol(asyncio.get_running_loop(), asyncio.Protocol(), context, None)  # type: ignore[arg-type]  # waited for by nobody
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    protocol._app_transport._closed = True  # it was never connected, and would complain
    assert peak < 2 * TLS_BUFFER_BYTES
