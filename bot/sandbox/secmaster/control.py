"""The sandbox's own endpoints, for a test, a demo or a page: read and change the world."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

from aiohttp import web
from pydantic import ValidationError

from bot.sandbox import strict_json
from bot.sandbox.changes import Changes
from bot.sandbox.faults import Fault, Faults, error_message
from bot.sandbox.secmaster import schemas
from bot.sandbox.secmaster.around_api import FINDINGS, READS
from bot.sandbox.secmaster.arrivals import THROTTLED
from bot.sandbox.secmaster.findings import ALERT, INCIDENT, connection, resource_ref
from bot.sandbox.secmaster.journal import Journal, shortened
from bot.sandbox.secmaster.overview import overview
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.scheduler import Scheduler
from bot.sandbox.secmaster.wire import Person, Record, Rejection, node_record, stamp
from bot.sandbox.secmaster.world import World, about

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Handlers for everything under ``/_sandbox/`` but what both sandboxes have."""

    def __init__(  # noqa: PLR0913 -- a console has a switch for each
        self,
        *,
        world: World,
        journal: Journal,
        changes: Changes,
        scheduler: Scheduler,
        faults: Faults,
        endpoints: list[str],
    ) -> None:
        self._world = world
        self._journal = journal
        self._changes = changes
        self._scheduler = scheduler
        self._faults = faults
        self._endpoints = endpoints

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/state", _with_errors(self.state)),
            web.get("/_sandbox/requests", _with_errors(self.requests)),
            web.post("/_sandbox/tasks", _with_errors(self.add_task)),
            web.delete("/_sandbox/tasks/{id}", _with_errors(self.delete_task)),
            web.post("/_sandbox/tasks/{id}/decide", _with_errors(self.decide)),
            web.post("/_sandbox/tasks/{id}/comment", _with_errors(self.comment)),
            web.post("/_sandbox/instances", _with_errors(self.add_instance)),
            web.delete("/_sandbox/instances/{id}", _with_errors(self.delete_instance)),
            web.post("/_sandbox/instances/{id}/fail", _with_errors(self.fail)),
            web.post("/_sandbox/findings/{id}", _with_errors(self.change_finding)),
            web.post("/_sandbox/reads", _with_errors(self.refuse_reads)),
            web.post("/_sandbox/arrivals", _with_errors(self.add_many)),
            web.post("/_sandbox/clock", _with_errors(self.set_clock)),
        ]

    async def state(self, request: web.Request) -> web.Response:
        world = self._world
        view = schemas.ConsoleView.model_validate(dict(request.query))
        state = overview(world, view) | {
            "changes": self._changes.count,
            "now": stamp(world.clock()),
            "clock": self._scheduler.rates,
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
        query = schemas.RequestFilter.model_validate(dict(request.query))
        requests = [
            asdict(replace(received, body=None))
            | {
                "at": received.at.isoformat(),
                "write": received.write,
                "body": shortened(received.body),
            }
            for received in self._journal.find(query.target, writes=query.writes, limit=query.limit)
        ]
        return web.json_response({"requests": requests}, dumps=strict_json.dumps)

    async def add_task(self, request: web.Request) -> web.Response:
        new = schemas.NewTask.model_validate_json(await _body(request))
        fields = new.model_dump(exclude_none=True, exclude={"due_in", "finding"})
        if new.due_in is not None:
            fields["due_date"] = stamp(self._world.clock() + timedelta(seconds=new.due_in))
        task = self._world.add_task(self._add_finding(new.finding), **fields)
        return web.json_response(task, status=201)

    def _add_finding(self, new: schemas.NewFinding | None) -> Record | None:
        """Add the object that a task or an instance is about, and its asset; None without one."""
        if new is None:
            return None
        findings, resources = self._world.findings, []
        if new.asset:
            findings.add_resource(f"resource-{new.asset}", new.asset, new.level)
            resources.append(resource_ref(f"resource-{new.asset}", new.asset))
        finding = self._world.add_finding(
            {"Alert": ALERT, "Incident": INCIDENT}[new.dataclass],
            id=new.id or str(uuid4()),
            resource_list=resources,
            network_list=[connection(address) for address in new.addresses],
            user_info=[{"user_id": "", "user_name": name} for name in new.users],
            **new.model_dump(
                include={"title", "description", "severity", "handle_status", "count"}
            ),
        )
        findings.tick(finding["id"], new.count_every)
        return finding

    async def change_finding(self, request: web.Request) -> web.Response:
        change = schemas.FindingChange.model_validate_json(await _body(request))
        fields = change.model_dump(exclude_none=True)
        return web.json_response(self._world.change_finding(request.match_info["id"], **fields))

    async def refuse_reads(self, request: web.Request) -> web.Response:
        """Refuse the reads around tasks as a poorer region or a poorer IAM user meets them."""
        reads = schemas.Reads.model_validate_json(await _body(request))
        for endpoint in READS:
            await self._faults.clear(endpoint)
        refused = {"none": (), "all": READS, "findings": FINDINGS}[reads.refused]
        for endpoint in refused:
            status = 404 if reads.refused == "all" else 403
            await self._faults.set(Fault(on=endpoint, status=status))
        return web.json_response(reads.model_dump())

    async def delete_task(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.delete_task(request.match_info["id"]))

    async def delete_instance(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.delete_instance(request.match_info["id"]))

    async def add_many(self, request: web.Request) -> web.Response:
        burst = schemas.Burst.model_validate_json(await _body(request))
        self._world.add_many(burst.tasks, burst.failures)
        return web.json_response(burst.model_dump(), status=201)

    async def decide(self, request: web.Request) -> web.Response:
        decision = schemas.Decision.model_validate_json(await _body(request))
        return self._update(request, decision.user_name, action=decision.action)

    async def comment(self, request: web.Request) -> web.Response:
        new = schemas.Comment.model_validate_json(await _body(request))
        return self._update(request, new.user_name, action="ADD_COMMENT", comment=new.comment)

    def _update(self, request: web.Request, user_name: str, **body: str) -> web.Response:
        person = Person(f"console-{user_name}", user_name)
        return web.json_response(self._world.update_task(request.match_info["id"], body, person))

    async def add_instance(self, request: web.Request) -> web.Response:
        new = schemas.NewInstance.model_validate_json(await _body(request))
        now = stamp(self._world.clock())
        end_time = "" if new.status == "RUNNING" else now
        error_msg = (new.error_msg or THROTTLED) if new.status == "FAILED" else ""
        node = node_record(
            str(uuid4()),
            new.name,
            status=new.status,
            succeed=new.status == "FINISHED",
            start_time=now,
            end_time=end_time,
            error_msg=error_msg,
        )
        instance = self._world.add_instance(
            Script(relapse=new.relapse),
            name=new.name,
            status=new.status,
            trigger_type=new.trigger_type,
            end_time=end_time,
            topology={"audit_logs": [node]},
            **about(self._add_finding(new.finding)),
        )
        return web.json_response(instance, status=201)

    async def fail(self, request: web.Request) -> web.Response:
        failure = schemas.Failure.model_validate_json(await _body(request))
        return web.json_response(self._world.fail(request.match_info["id"], failure.error_msg))

    async def set_clock(self, request: web.Request) -> web.Response:
        rates = schemas.Rates.model_validate_json(await _body(request))
        await self._scheduler.set_rates(**rates.model_dump())
        self._changes.happened()
        return web.json_response(self._scheduler.rates)


async def _body(request: web.Request) -> bytes:
    return await request.read() or b"{}"


def _with_errors(endpoint: Endpoint) -> Endpoint:
    """Answer a refused request with its error."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await endpoint(request)
        except ValidationError as error:
            return web.json_response({"error": error_message(error)}, status=400)
        except Rejection as rejection:
            return web.json_response(rejection.body(""), status=rejection.status)

    return handle
