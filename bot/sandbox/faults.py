"""Trouble on request: what a network, a gateway or a service does on a bad day.

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

PAGE = "<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Refusal = Callable[["Fault"], web.Response]


class Fault(BaseModel):
    """One kind of trouble for one endpoint, ``*`` for all.

    ``applied`` says whether the request takes effect before the trouble shows: a hang-up
    with ``applied`` is an answer lost on its way back, one without is a request lost on its
    way there. ``hold`` keeps requests waiting until the fault is cleared; one whose caller
    has gone by then has no effect. ``cut`` breaks off in the middle of the answer. ``delay``
    and ``drip`` (per byte) are in seconds; ``times`` is how many requests meet it, default all.
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
    """The faults that are on, each with a number, and the requests they keep waiting.

    ``tell`` is called when one goes on or off.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.held: Counter[str] = Counter()
        self._tell = tell
        self._numbers = count(1)
        self._active: dict[int, Fault] = {}
        self._changed = asyncio.Condition()

    async def set(self, fault: Fault) -> Fault:
        await self._keep(self._active | {next(self._numbers): fault})
        return fault

    async def clear(self, on: str | None = None) -> None:
        """Switch off the faults of one endpoint, or all; what they held goes on."""
        left = {at: one for at, one in self._active.items() if on not in (None, one.on)}
        await self._keep(left)

    async def switch_off(self, number: int) -> None:
        """Switch off one fault; one that is off already stays off."""
        await self._keep({at: one for at, one in self._active.items() if at != number})

    async def _keep(self, faults: dict[int, Fault]) -> None:
        async with self._changed:
            self._active = faults
            self._changed.notify_all()
        self._tell()

    def listed(self) -> list[dict[str, Any]]:
        """The faults that the next request may meet, without those that are used up."""
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

        ``refusal`` words a fault's status as the service would.
        """
        fault = self._take(on)
        if fault is None:
            return await handler(request)
        await asyncio.sleep(fault.delay)
        if fault.hold and not fault.applied:
            await self._hold(fault, on)
        if _gone(request):
            return web.Response()
        spoiled = bool(fault.hang_up or fault.html or fault.status)
        answer = web.Response() if spoiled and not fault.applied else await handler(request)
        if fault.hold and fault.applied:
            await self._hold(fault, on)
        return await _spoil(fault, request, answer, refusal)

    def _take(self, on: str) -> Fault | None:
        for fault in self._active.values():
            if fault.on in (on, "*") and fault.times != 0:
                fault.times = fault.times and fault.times - 1
                return fault
        return None

    async def _hold(self, fault: Fault, on: str) -> None:
        async with self._changed:
            self.held[on] += 1
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: all(fault is not still for still in self._active.values())
            )
            self.held[on] -= 1


def routes(faults: Faults) -> list[web.RouteDef]:
    """The faults' own endpoints, to be added to a sandbox's."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response({"active": faults.listed(), "held": dict(+faults.held)})

    async def switch_on(request: web.Request) -> web.Response:
        try:
            await faults.set(Fault.model_validate_json(await request.read()))
        except ValidationError as wrong:
            return web.json_response({"error": worded(wrong)}, status=400)
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


def worded(wrong: ValidationError) -> str:
    """Everything that is wrong with what was sent, in one line."""
    return "; ".join(_said(one["loc"], one["msg"]) for one in wrong.errors())


def _said(where: tuple[int | str, ...], message: str) -> str:
    field = ".".join(map(str, where))
    return f"{field}: {message}" if field else message


async def _spoil(
    fault: Fault, request: web.Request, answer: web.StreamResponse, refusal: Refusal
) -> web.StreamResponse:
    if fault.hang_up:
        return _hang_up(request)
    if fault.html:
        return web.Response(status=fault.status or 502, text=PAGE, content_type="text/html")
    if fault.status:
        return refusal(fault)
    if fault.cut or fault.drip:
        return await _drip(fault, request, answer)
    return answer


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _drip(
    fault: Fault, request: web.Request, answer: web.StreamResponse
) -> web.StreamResponse:
    body = answer.body if isinstance(answer, web.Response) else b""
    body = body if isinstance(body, bytes) else b""
    slow = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    slow.content_length = len(body)
    await slow.prepare(request)
    for at in range(len(body) // 2 if fault.cut else len(body)):
        await slow.write(body[at : at + 1])
        await asyncio.sleep(fault.drip)
    return _hang_up(request) if fault.cut else slow
