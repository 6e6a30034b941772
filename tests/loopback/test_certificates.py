"""The throw-away authority: verified as a client would, and for Discord's names alone."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from loopback.certificates import make_certificates

if TYPE_CHECKING:
    from pathlib import Path


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """A whole TLS handshake in memory. Raises what the client's verification raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=host)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [one, other]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass


@pytest.mark.parametrize(
    "host",
    [
        "discord.com",
        "canary.discord.com",
        "gateway.discord.gg",
        "gateway-loopback.discord.gg",
        "loopback1.discord.media",
        "cdn.discordapp.com",
        "media.discordapp.net",
        "localhost",
        "127.0.0.1",
    ],
)
def test_a_client_that_trusts_the_authority_accepts_discords_names(tmp_path: Path, host: str) -> None:
    made = make_certificates(tmp_path)
    _handshake(made.server_context(), made.client_context(), host)


def test_another_name_is_refused(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made.server_context(), made.client_context(), "example.org")


def test_a_client_that_does_not_trust_the_authority_refuses(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made.server_context(), ssl.create_default_context(), "discord.com")


def test_the_authoritys_key_is_not_kept_and_the_servers_is_private(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert made.key_file.stat().st_mode & 0o077 == 0
    authority = x509.load_pem_x509_certificate(made.ca_file.read_bytes())
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
