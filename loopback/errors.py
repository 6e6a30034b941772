"""Errors of the embedded Discord: those that a client is answered, and those that a test script made
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback.world.model import Payload


class UserMistake(Exception):  # noqa: N818 - said as scripts say it
    """A scripted user tried what Discord's own client would not let anybody do: an error of the script."""


class NotAnswered(Exception):  # noqa: N818 - said as scripts say it
    """ "The application did not respond": the deadline of an interaction passed without an answer."""


class RestError(Exception):
    """An error answer of REST: HTTP status and Discord's JSON error code (documentation, "JSON Error
    Codes").
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def payload(self) -> Payload:
        return {"message": self.message, "code": self.code}


class FormError(RestError):
    """50035 Invalid Form Body, with the path of the field ("embeds.0.title"), a code and a sentence."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(400, 50035, "Invalid Form Body")
        self.path = path
        self.detail = {"_errors": [{"code": code, "message": message}]}

    def payload(self) -> Payload:
        errors: Payload = self.detail
        for part in reversed([one for one in self.path.split(".") if one]):
            errors = {part: errors}
        return {**super().payload(), "errors": errors}


def unauthorized() -> RestError:
    return RestError(401, 0, "401: Unauthorized")


def not_found() -> RestError:
    return RestError(404, 0, "404: Not Found")


def unknown(what: str) -> RestError:
    """404 for a missing object of that kind ("Message", "Interaction", ...)."""
    return RestError(404, _UNKNOWN[what], f"Unknown {what}")


def missing_access() -> RestError:
    return RestError(403, 50001, "Missing Access")


def missing_permissions() -> RestError:
    return RestError(403, 50013, "Missing Permissions")


_UNKNOWN = {
    "Application": 10002,
    "Channel": 10003,
    "Guild": 10004,
    "Member": 10007,
    "Message": 10008,
    "Role": 10011,
    "User": 10013,
    "Emoji": 10014,
    "Webhook": 10015,
    "Interaction": 10062,
    "Application Command": 10063,
    "Voice State": 10065,
}
