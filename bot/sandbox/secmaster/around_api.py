"""What is around a task, over HTTP: findings, resources, definitions, playbooks, blocks."""

from collections.abc import Callable

from aiohttp import web

from bot.sandbox.secmaster.answers import SOC, WORKSPACE, envelope, json_object, person
from bot.sandbox.secmaster.listing import Listing
from bot.sandbox.secmaster.wire import INVALID, Record, Rejection
from bot.sandbox.secmaster.world import World

FINDINGS = ("ShowAlert", "ShowIncident", "ShowDataobject")
READS = (
    *FINDINGS,
    "ShowResource",
    "SearchPolicyRecord",
    "ShowAopWorkflow",
    "ShowAopWorkflowVersion",
    "ShowPlaybook",
    "ShowPlaybookVersion",
    "ShowPlaybookInstance",
    "ListPlaybookInstances",
    "ShowPlaybookTopology",
)


class AroundApi:
    """The endpoints around tasks and runs, behind the gateway."""

    def __init__(self, world: World, listing: Listing) -> None:
        self._world = world
        self._listing = listing

    def routes(self) -> list[web.RouteDef]:
        """Every path, to be added after those of tasks and runs: the last one takes any class."""
        findings, definitions = self._world.findings, self._world.definitions
        playbooks, instances = self._world.playbooks, f"{SOC}/playbooks/instances"
        # The versions and the instances come before what would take their names for an id.
        return [
            _shown(
                f"{SOC}/workflows/versions", "ShowAopWorkflowVersion", definitions.workflow_version
            ),
            _shown(f"{SOC}/workflows", "ShowAopWorkflow", definitions.workflow),
            web.get(instances, self.list_playbook_instances, name="ListPlaybookInstances"),
            _shown(instances, "ShowPlaybookInstance", playbooks.get, bare=True),
            _shown(
                instances,
                "ShowPlaybookTopology",
                playbooks.topology,
                bare=True,
                part="/topology",
            ),
            web.post(f"{instances}/{{id}}/operation", self.operate, name="ChangePlaybookInstance"),
            _shown(
                f"{SOC}/playbooks/versions", "ShowPlaybookVersion", definitions.playbook_version
            ),
            _shown(f"{SOC}/playbooks", "ShowPlaybook", definitions.playbook),
            _shown(f"{WORKSPACE}/sa/resources", "ShowResource", findings.resource),
            web.post(f"{SOC}/policy-records/search", self.search_blocks, name="SearchPolicyRecord"),
            _shown(f"{SOC}/alerts", "ShowAlert", lambda id_: findings.get("alerts", id_)),
            _shown(f"{SOC}/incidents", "ShowIncident", lambda id_: findings.get("incidents", id_)),
            web.get(f"{SOC}/{{dataclass}}/{{id}}", self.show_dataobject, name="ShowDataobject"),
        ]

    async def show_dataobject(self, request: web.Request) -> web.Response:
        path = request.match_info
        return envelope(request, data=self._world.findings.get(path["dataclass"], path["id"]))

    async def list_playbook_instances(self, request: web.Request) -> web.Response:
        return web.json_response(self._listing.playbook_instances(request.query))

    async def operate(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        id_ = request.match_info["id"]
        return web.json_response(self._world.operate_playbook(id_, body, person(request)))

    async def search_blocks(self, request: web.Request) -> web.Response:
        if not request.headers.get("X-Secmaster-Version"):
            raise Rejection(400, INVALID, "header X-Secmaster-Version is required")
        return envelope(request, **self._world.blocks.search(await json_object(request)))


def _shown(
    path: str, name: str, find: Callable[[str], Record], *, bare: bool = False, part: str = ""
) -> web.RouteDef:
    """Build the route that answers with one record, which ``find`` returns for its id."""

    async def show(request: web.Request) -> web.Response:
        record = find(request.match_info["id"])
        return web.json_response(record) if bare else envelope(request, data=record)

    return web.get(f"{path}/{{id}}{part}", show, name=name)
