"""The sandbox's own endpoints, for a test, a demo or a page: look at the world, and stir it."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Literal
from uuid import uuid4

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.sandbox.changes import Changes
from bot.sandbox.secmaster.arrivals import THROTTLED
from bot.sandbox.secmaster.clockwork import Clockwork
from bot.sandbox.secmaster.journal import Journal
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.wire import Person, Record, Rejection, node_record, stamp
from bot.sandbox.secmaster.world import World

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _NewTask(_Asked):
    name: str = "Check a suspicious sign-in"
    description: str = ""
    business_type: Literal[
        "WORKFLOWPUBLISH", "WORKFLOWNODEAPPROVE", "PLAYBOOKPUBLISH", "PLAYBOOKNODEAPPROVE"
    ] = "WORKFLOWNODEAPPROVE"
    creator_name: str = "system"
    related_object: str = ""
    action_instance_id: str = ""
    due_date: str | None = None
    due_handle: Literal["", "CONTINUE", "INTERRUPT"] = ""
    notes: str = ""
    view_parameters: str = ""
    handle_parameters: str = ""


class _Decision(_Asked):
    action: Literal["CONTINUE", "TERMINATE"]
    user_name: str = "console-user"


class _Failure(_Asked):
    error_msg: str = THROTTLED


class _NewInstance(_Asked):
    """A run of one node; ``relapse`` is what a retry of it breaks on, if anything."""

    name: str = "Respond to an alert"
    status: Literal["RUNNING", "FAILED", "FINISHED"] = "RUNNING"
    trigger_type: Literal["DEBUG", "TIMER", "EVENT", "MANUAL"] = "EVENT"
    error_msg: str = ""
    relapse: str = ""


class _Rates(_Asked):
    tasks_every: float = Field(0, ge=0)
    failures_every: float = Field(0, ge=0)


class Control:
    """Handlers for everything under ``/_sandbox/`` but the faults."""

    def __init__(
        self, *, world: World, journal: Journal, changes: Changes, clockwork: Clockwork
    ) -> None:
        self._world = world
        self._journal = journal
        self._changes = changes
        self._clockwork = clockwork

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/state", self.state),
            web.get("/_sandbox/requests", self.requests),
            web.post("/_sandbox/tasks", _told(self.add_task)),
            web.post("/_sandbox/tasks/{id}/decide", _told(self.decide)),
            web.post("/_sandbox/instances", _told(self.add_instance)),
            web.post("/_sandbox/instances/{id}/fail", _told(self.fail)),
            web.post("/_sandbox/clock", _told(self.set_clock)),
        ]

    async def state(self, _request: web.Request) -> web.Response:
        state = {
            "changes": self._changes.count,
            "now": stamp(self._world.clock()),
            "clock": self._clockwork.rates,
            "tasks": list(self._world.tasks.values()),
            "instances": list(self._world.instances.values()),
        }
        return web.json_response(state)

    async def requests(self, _request: web.Request) -> web.Response:
        received = [asdict(one) | {"at": one.at.isoformat()} for one in self._journal.requests]
        return web.json_response({"requests": received})

    async def add_task(self, request: web.Request) -> web.Response:
        asked = _NewTask.model_validate_json(await _body(request))
        task = self._world.add_task(**asked.model_dump(exclude_none=True))
        return web.json_response(task, status=201)

    async def decide(self, request: web.Request) -> web.Response:
        asked = _Decision.model_validate_json(await _body(request))
        person = Person(f"console-{asked.user_name}", asked.user_name)
        id_ = request.match_info["id"]
        return web.json_response(self._world.update_task(id_, {"action": asked.action}, person))

    async def add_instance(self, request: web.Request) -> web.Response:
        asked = _NewInstance.model_validate_json(await _body(request))
        return web.json_response(_grown(self._world, asked), status=201)

    async def fail(self, request: web.Request) -> web.Response:
        asked = _Failure.model_validate_json(await _body(request))
        return web.json_response(self._world.fail(request.match_info["id"], asked.error_msg))

    async def set_clock(self, request: web.Request) -> web.Response:
        asked = _Rates.model_validate_json(await _body(request))
        await self._clockwork.set_rates(**asked.model_dump())
        return web.json_response(self._clockwork.rates)


async def _body(request: web.Request) -> bytes:
    return await request.read() or b"{}"


def _grown(world: World, asked: _NewInstance) -> Record:
    now = stamp(world.clock())
    ended = "" if asked.status == "RUNNING" else now
    error_msg = (asked.error_msg or THROTTLED) if asked.status == "FAILED" else ""
    node = node_record(
        str(uuid4()),
        asked.name,
        status=asked.status,
        succeed=asked.status == "FINISHED",
        start_time=now,
        end_time=ended,
        error_msg=error_msg,
    )
    return world.add_instance(
        Script(relapse=asked.relapse),
        name=asked.name,
        status=asked.status,
        trigger_type=asked.trigger_type,
        end_time=ended,
        topology={"audit_logs": [node]},
    )


def _told(endpoint: Endpoint) -> Endpoint:
    """Say what was wrong with a request instead of breaking on it."""

    async def tell(request: web.Request) -> web.StreamResponse:
        try:
            return await endpoint(request)
        except ValidationError as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        except Rejection as no:
            return web.json_response(no.body(""), status=no.status)

    return tell
