"""Faults that can be switched on: failures of the network, a gateway or a service.

Both sandboxes let a person or a test switch a fault on for an endpoint (SecMaster's
``UpdateTask``, Slack's ``chat.postMessage``, or ``*``) and off again, over HTTP:
``GET``, ``POST`` and ``DELETE /_sandbox/faults``, or ``/_sandbox/faults/<number>`` for one.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.sandbox.connection import is_disconnected

PAGE = "<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Refusal = Callable[["Fault"], web.Response]


class Fault(BaseModel):
    """A fault on one endpoint, ``*`` for all.

    ``applied`` says whether the request takes effect before it fails: a hang-up with
    ``applied`` is an answer lost on its way back, one without is a request lost on its way
    there. ``hold`` keeps requests waiting until the fault is cleared; one whose caller has
    disconnected by then has no effect. ``cut`` breaks off in the middle of the answer.
    ``delay`` and ``drip`` (per byte) are in seconds; ``times`` is how many requests meet the
    fault, by default all.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    on: str
    times: int | None = None
    applied: bool = False
    hold: bool = False
    delay: float = 0
    hang_up: bool = False
    cut: bool = False
    drip: float = 0
    html: bool = False
    status: int | None = None
    code: str = ""
    retry_after: int | None = None


class Faults:
    """The active faults, each with a number, and how many requests they hold by endpoint.

    ``changed`` is called when one is switched on or off.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.held: Counter[str] = Counter()
        self._notify = changed
        self._numbers = count(1)
        self._active: dict[int, Fault] = {}
        self._changed = asyncio.Condition()

    async def set(self, fault: Fault) -> Fault:
        """Switch a fault on."""
        await self._replace(self._active | {next(self._numbers): fault})
        return fault

    async def clear(self, on: str | None = None) -> None:
        """Switch off the faults of one endpoint, or all; requests they hold are released."""
        remaining = {
            number: fault for number, fault in self._active.items() if on not in (None, fault.on)
        }
        await self._replace(remaining)

    async def switch_off(self, number: int) -> None:
        """Switch off one fault; one that is off already stays off."""
        await self._replace({key: fault for key, fault in self._active.items() if key != number})

    async def _replace(self, faults: dict[int, Fault]) -> None:
        async with self._changed:
            self._active = faults
            self._changed.notify_all()
        self._notify()

    def listed(self) -> list[dict[str, Any]]:
        """List the faults that the next request may meet, without those that are used up."""
        return [
            {"number": number} | fault.model_dump(exclude_defaults=True)
            for number, fault in self._active.items()
            if fault.times != 0
        ]

    async def until_held(self, on: str, count: int = 1) -> None:
        """Wait until ``count`` requests to the endpoint are being held."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.held[on] >= count)

    async def meet(
        self, on: str, request: web.Request, handler: Handler, refusal: Refusal
    ) -> web.StreamResponse:
        """Answer ``request`` to endpoint ``on`` through whatever fault is on for it.

        ``refusal`` answers with a fault's status as the service would.
        """
        matching = (
            item for item in self._active.values() if item.on in (on, "*") and item.times != 0
        )
        fault = next(matching, None)
        if fault is None:
            return await handler(request)
        fault.times = fault.times and fault.times - 1
        await asyncio.sleep(fault.delay)
        if fault.hold and not fault.applied:
            await self._hold(fault, on)
        if is_disconnected(request):
            return web.Response()
        replaced = bool(fault.hang_up or fault.html or fault.status)
        response = web.Response() if replaced and not fault.applied else await handler(request)
        if fault.hold and fault.applied:
            await self._hold(fault, on)
        return await _spoil(fault, request, response, refusal)

    async def _hold(self, fault: Fault, on: str) -> None:
        """Wait until the fault is switched off."""
        async with self._changed:
            self.held[on] += 1
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: all(fault is not active for active in self._active.values())
            )
            self.held[on] -= 1


def routes(faults: Faults) -> list[web.RouteDef]:
    """Build the endpoints under ``/_sandbox/faults``."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response({"active": faults.listed(), "held": dict(+faults.held)})

    async def switch_on(request: web.Request) -> web.Response:
        try:
            await faults.set(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            return web.json_response({"error": error_message(error)}, status=400)
        return await show(request)

    async def switch_off(request: web.Request) -> web.Response:
        await faults.clear(request.query.get("on"))
        return await show(request)

    async def switch_off_one(request: web.Request) -> web.Response:
        await faults.switch_off(int(request.match_info["number"]))
        return await show(request)

    path = "/_sandbox/faults"
    return [
        web.get(path, show),
        web.post(path, switch_on),
        web.delete(path, switch_off),
        web.delete(path + r"/{number:\d+}", switch_off_one),
    ]


def error_message(error: ValidationError) -> str:
    """Return every error of a validation in one line, each with its field."""
    messages = []
    for item in error.errors():
        field = ".".join(map(str, item["loc"]))
        messages.append(f"{field}: {item['msg']}" if field else item["msg"])
    return "; ".join(messages)


async def _spoil(
    fault: Fault, request: web.Request, response: web.StreamResponse, refusal: Refusal
) -> web.StreamResponse:
    """Return what the fault lets the client see in place of ``response``."""
    if fault.hang_up:
        return _hang_up(request)
    if fault.html:
        return web.Response(status=fault.status or 502, text=PAGE, content_type="text/html")
    if fault.status:
        return refusal(fault)
    if fault.cut or fault.drip:
        return await _drip(fault, request, response)
    return response


def _hang_up(request: web.Request) -> web.Response:
    """Cut the connection; the returned response never arrives."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _drip(
    fault: Fault, request: web.Request, response: web.StreamResponse
) -> web.StreamResponse:
    """Send a response byte by byte, or only the first half of it."""
    body = response.body if isinstance(response, web.Response) else b""
    body = body if isinstance(body, bytes) else b""
    headers = {"Content-Type": response.content_type}
    slow = web.StreamResponse(status=response.status, headers=headers)
    slow.content_length = len(body)
    await slow.prepare(request)
    for index in range(len(body) // 2 if fault.cut else len(body)):
        await slow.write(body[index : index + 1])
        await asyncio.sleep(fault.drip)
    return _hang_up(request) if fault.cut else slow
