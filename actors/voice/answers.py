"""What the voice server answers during the handshake, checked before it is used (voice op 2 and op 4)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Final

from actors.voice.causes import Fault
from actors.voice.errors import VoiceError
from actors.voice.rtp import MODES, choose_mode

_KEY_BYTES: Final = 32
_SSRC_MAX: Final = 2**32 - 1
_PORT_MAX: Final = 2**16 - 1


@dataclass(frozen=True, slots=True)
class ReadyAnswer:
    """Op 2: where packets go, as whom, and how they are sealed."""

    ssrc: int
    host: str
    port: int
    mode: str


@dataclass(frozen=True, slots=True)
class Description:
    """Op 4: the key of the session, and the mode that it is for."""

    mode: str
    key: bytes


def ready_answer(data: dict[str, Any]) -> ReadyAnswer:
    """
    :raises VoiceError: if it is not what the protocol says, or if no encryption mode is common
    """
    modes = data.get("modes")
    if not isinstance(modes, list):
        raise _unintelligible("modes", modes)
    mode = choose_mode([each for each in modes if isinstance(each, str)])
    if mode is None:
        raise VoiceError(4016, f"no common encryption mode, the server offers {modes!r:.200}")
    return ReadyAnswer(
        _number(data, "ssrc", _SSRC_MAX), _address(data.get("ip")), _number(data, "port", _PORT_MAX), mode
    )


def description(data: dict[str, Any]) -> Description:
    """
    :raises VoiceError: if it is not what the protocol says
    """
    mode, key = data.get("mode"), data.get("secret_key")
    if mode not in MODES:
        raise _unintelligible("mode", mode)
    if not isinstance(key, list) or len(key) != _KEY_BYTES:
        raise _unintelligible("secret_key", None)  # which is not to be quoted
    try:
        return Description(mode, bytes(key))
    except (TypeError, ValueError):
        raise _unintelligible("secret_key", None) from None


def _number(data: dict[str, Any], name: str, most: int) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise _unintelligible(name, value)
    return value


def _address(value: object) -> str:
    """Only a numeric address: a name would have to be looked up."""
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise _unintelligible("ip", value) from None


def _unintelligible(name: str, value: object) -> VoiceError:
    return VoiceError(None, f"the voice server's {name} cannot be understood: {value!r:.40}", Fault.MALFORMED)
