"""REST v10: the table of routes, the token, rate limits and Discord's way to say errors."""

from __future__ import annotations

import hmac
import json
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.errors import RestError, not_found, unauthorized
from loopback.rest import (
    commands as rest_commands,
    guilds as rest_guilds,
    interactions as rest_interactions,
    messages as rest_messages,
    users as rest_users,
)
from loopback.rest.call import Call, Route, read_call
from loopback.rest.conditions import RestConditions
from loopback.rest.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from loopback.world.world import World

log = logging.getLogger(__name__)

VERSIONS = ("v10", "v9")
MAX_REQUEST_BYTES = 26 * 1024 * 1024

ROUTES: tuple[Route, ...] = (
    *rest_users.ROUTES,
    *rest_messages.ROUTES,
    *rest_guilds.ROUTES,
    *rest_commands.ROUTES,
    *rest_interactions.ROUTES,
)


class Rest:
    """The REST side of one embedded Discord. `requests` is what came in, as "METHOD /path", oldest first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.limits = Limits(world)
        self.conditions = RestConditions()
        self.requests: list[str] = []

    def add_routes(self, router: web.UrlDispatcher) -> None:
        for version in VERSIONS:
            for route in ROUTES:
                router.add_route(route.method, f"/api/{version}{route.path}", self._handler(route))
        router.add_get("/attachments/{tail:.*}", self._file)
        router.add_route("*", "/{tail:.*}", self._nothing)

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            self.requests.append(f"{request.method} {request.path}")
            try:
                return await self._answer(route, request)
            except RestError as refused:
                return _json(refused.payload(), refused.status)

        return handle

    async def _answer(self, route: Route, request: web.Request) -> web.Response:
        try:
            await self.conditions.meet(route)
        except RestError:
            await request.read()
            raise
        if not route.public:
            self._authorize(request)
        verdict = self.limits.judge(route, dict(request.match_info))
        if verdict.refused is not None:
            await request.read()
            return _json(verdict.refused, 429, verdict.headers)
        call = await read_call(self.world, request)
        try:
            data = await _run(route, call)
        except RestError as refused:
            return _json(refused.payload(), refused.status, verdict.headers)
        if data is None:
            return web.Response(status=204, headers=verdict.headers)
        return _json(data, 200, verdict.headers)

    def _authorize(self, request: web.Request) -> None:
        expected = f"Bot {self.world.application.token}"
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise unauthorized()

    async def _file(self, request: web.Request) -> web.Response:
        """An attachment, as the CDN serves it."""
        kept = self.world.files.get(request.path)
        if kept is None:
            return web.Response(status=404)
        return web.Response(body=kept.data, content_type=kept.content_type)

    async def _nothing(self, request: web.Request) -> web.Response:
        log.warning("no route for %s %s", request.method, request.path)
        return _json(not_found().payload(), 404)


async def _run(route: Route, call: Call) -> Any:
    """The handler's answer; a field that is missing or of a wrong type is the client's mistake."""
    try:
        return await route.handler(call)
    except (KeyError, ValueError, TypeError, AttributeError) as broken:
        log.warning("%s %s: malformed body %r", route.method, route.path, call.body, exc_info=broken)
        raise RestError(400, 50035, "Invalid Form Body") from broken


def _json(data: Any, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """The content type is bare: clients take `application/json; charset=utf-8` for text."""
    body = json.dumps(data, separators=(",", ":")).encode()
    return web.Response(
        body=body, status=status, headers={**(headers or {}), "Content-Type": "application/json"}
    )
