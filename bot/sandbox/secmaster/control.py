"""The sandbox's own endpoints, for a test, a demo or a page: look at the world, and stir it."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

from aiohttp import web
from pydantic import ValidationError

from bot.sandbox import strict_json
from bot.sandbox.changes import Changes
from bot.sandbox.faults import Faults, worded
from bot.sandbox.secmaster import asked
from bot.sandbox.secmaster.arrivals import THROTTLED
from bot.sandbox.secmaster.clockwork import Clockwork
from bot.sandbox.secmaster.journal import Journal, Received, shortened
from bot.sandbox.secmaster.overview import overview
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.wire import Person, Record, Rejection, node_record, stamp
from bot.sandbox.secmaster.world import World

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Handlers for everything under ``/_sandbox/`` but what both sandboxes have."""

    def __init__(  # noqa: PLR0913 -- a console has a switch for each
        self,
        *,
        world: World,
        journal: Journal,
        changes: Changes,
        clockwork: Clockwork,
        faults: Faults,
        endpoints: list[str],
    ) -> None:
        self._world = world
        self._journal = journal
        self._changes = changes
        self._clockwork = clockwork
        self._faults = faults
        self._endpoints = endpoints

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/state", _told(self.state)),
            web.get("/_sandbox/requests", _told(self.requests)),
            web.post("/_sandbox/tasks", _told(self.add_task)),
            web.delete("/_sandbox/tasks/{id}", _told(self.delete_task)),
            web.post("/_sandbox/tasks/{id}/decide", _told(self.decide)),
            web.post("/_sandbox/tasks/{id}/comment", _told(self.comment)),
            web.post("/_sandbox/instances", _told(self.add_instance)),
            web.delete("/_sandbox/instances/{id}", _told(self.delete_instance)),
            web.post("/_sandbox/instances/{id}/fail", _told(self.fail)),
            web.post("/_sandbox/arrivals", _told(self.add_many)),
            web.post("/_sandbox/clock", _told(self.set_clock)),
        ]

    async def state(self, request: web.Request) -> web.Response:
        world = self._world
        state = overview(world, asked.Looking.model_validate(dict(request.query))) | {
            "changes": self._changes.count,
            "now": stamp(world.clock()),
            "clock": self._clockwork.rates,
            "attachments": [
                attachment | {"size": len(world.contents[id_])}
                for id_, attachment in world.attachments.items()
            ],
            "faults": self._faults.listed(),
            "endpoints": self._endpoints,
            "received": len(self._journal.requests),
        }
        return web.json_response(state, dumps=strict_json.dumps)

    async def requests(self, request: web.Request) -> web.Response:
        wanted = asked.Wanted.model_validate(dict(request.query))
        found = self._journal.find(wanted.target, writes=wanted.writes, limit=wanted.limit)
        shown = [_shown(one) for one in found]
        return web.json_response({"requests": shown}, dumps=strict_json.dumps)

    async def add_task(self, request: web.Request) -> web.Response:
        new = asked.NewTask.model_validate_json(await _body(request))
        fields = new.model_dump(exclude_none=True, exclude={"due_in"})
        if new.due_in is not None:
            fields["due_date"] = stamp(self._world.clock() + timedelta(seconds=new.due_in))
        return web.json_response(self._world.add_task(**fields), status=201)

    async def delete_task(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.delete_task(request.match_info["id"]))

    async def delete_instance(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.delete_instance(request.match_info["id"]))

    async def add_many(self, request: web.Request) -> web.Response:
        burst = asked.Burst.model_validate_json(await _body(request))
        self._world.add_many(burst.tasks, burst.failures)
        return web.json_response(burst.model_dump(), status=201)

    async def decide(self, request: web.Request) -> web.Response:
        decision = asked.Decision.model_validate_json(await _body(request))
        return self._update(request, decision.user_name, action=decision.action)

    async def comment(self, request: web.Request) -> web.Response:
        said = asked.Comment.model_validate_json(await _body(request))
        return self._update(request, said.user_name, action="ADD_COMMENT", comment=said.comment)

    def _update(self, request: web.Request, user_name: str, **body: str) -> web.Response:
        person = Person(f"console-{user_name}", user_name)
        return web.json_response(self._world.update_task(request.match_info["id"], body, person))

    async def add_instance(self, request: web.Request) -> web.Response:
        new = asked.NewInstance.model_validate_json(await _body(request))
        return web.json_response(_grown(self._world, new), status=201)

    async def fail(self, request: web.Request) -> web.Response:
        failure = asked.Failure.model_validate_json(await _body(request))
        return web.json_response(self._world.fail(request.match_info["id"], failure.error_msg))

    async def set_clock(self, request: web.Request) -> web.Response:
        rates = asked.Rates.model_validate_json(await _body(request))
        await self._clockwork.set_rates(**rates.model_dump())
        self._changes.happened()
        return web.json_response(self._clockwork.rates)


def _shown(one: Received) -> Record:
    told = {"at": one.at.isoformat(), "write": one.write, "body": shortened(one.body)}
    return asdict(replace(one, body=None)) | told


async def _body(request: web.Request) -> bytes:
    return await request.read() or b"{}"


def _grown(world: World, new: asked.NewInstance) -> Record:
    now = stamp(world.clock())
    ended = "" if new.status == "RUNNING" else now
    error_msg = (new.error_msg or THROTTLED) if new.status == "FAILED" else ""
    node = node_record(
        str(uuid4()),
        new.name,
        status=new.status,
        succeed=new.status == "FINISHED",
        start_time=now,
        end_time=ended,
        error_msg=error_msg,
    )
    return world.add_instance(
        Script(relapse=new.relapse),
        name=new.name,
        status=new.status,
        trigger_type=new.trigger_type,
        end_time=ended,
        topology={"audit_logs": [node]},
    )


def _told(endpoint: Endpoint) -> Endpoint:
    """Say what was wrong with a request instead of breaking on it."""

    async def tell(request: web.Request) -> web.StreamResponse:
        try:
            return await endpoint(request)
        except ValidationError as wrong:
            return web.json_response({"error": worded(wrong)}, status=400)
        except Rejection as no:
            return web.json_response(no.body(""), status=no.status)

    return tell
