"""SecMaster's endpoints and IAM's one: each request turned into a call of the world.

Paths and replies: https://support.huaweicloud.com/api-secmaster/
"""

import secrets
from urllib.parse import quote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.sandbox import strict_json
from bot.sandbox.secmaster.answers import SOC, envelope, json_object, person
from bot.sandbox.secmaster.around_api import AroundApi
from bot.sandbox.secmaster.authentication import Authenticator
from bot.sandbox.secmaster.listing import Listing, without_topology
from bot.sandbox.secmaster.wire import INVALID, IamRejection, Rejection
from bot.sandbox.secmaster.world import World

OBJECTS = "/_sandbox/objects/{attach_id}"


class Api:
    """The service itself, behind the gateway."""

    def __init__(self, world: World, authenticator: Authenticator) -> None:
        self._world = world
        self._authenticator = authenticator
        self._listing = Listing(world)
        self._around = AroundApi(world, self._listing)
        # A download link works only with this, so that nobody can guess one.
        self._signature = secrets.token_hex(16)

    def routes(self) -> list[web.RouteDef]:
        """Every path; a route's name is SecMaster's name for the operation."""
        instance = f"{SOC}/workflows/instances"
        attachment = f"{SOC}/attachment"
        return [
            web.get(f"{SOC}/tasks", self.list_tasks, name="ListTasks"),
            web.get(f"{SOC}/tasks/{{task_id}}", self.show_task, name="ShowTask"),
            web.put(f"{SOC}/tasks/{{task_id}}", self.update_task, name="UpdateTask"),
            web.get(instance, self.list_instances, name="ListAopWorkflowInstance"),
            web.get(f"{instance}/{{id}}", self.show_instance, name="ShowAopWorkflowInstance"),
            web.put(f"{instance}/{{id}}", self.update_instance, name="UpdateWorkflowInstance"),
            web.post(f"{attachment}/upload", self.upload, name="UploadAttachment"),
            web.get(f"{attachment}/{{attach_id}}", self.show_attachment, name="ShowAttachment"),
            web.get(
                f"{attachment}/{{attach_id}}/download", self.download, name="DownloadAttachment"
            ),
            web.post("/v3/auth/tokens", self.create_token, name="CreateToken"),
            web.get(OBJECTS, self.serve_object),
            *self._around.routes(),
        ]

    def endpoints(self) -> list[str]:
        """List SecMaster's names for its operations, on which faults can be set."""
        return [str(route.kwargs["name"]) for route in self.routes() if "name" in route.kwargs]

    async def list_tasks(self, request: web.Request) -> web.Response:
        return envelope(request, **self._listing.tasks(request.query))

    async def show_task(self, request: web.Request) -> web.Response:
        return envelope(request, data=self._world.task(request.match_info["task_id"]))

    async def update_task(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        task = self._world.update_task(request.match_info["task_id"], body, person(request))
        return envelope(request, data=task)

    async def list_instances(self, request: web.Request) -> web.Response:
        return web.json_response(self._listing.instances(request.query))

    async def show_instance(self, request: web.Request) -> web.Response:
        instance = self._world.instance(request.match_info["id"])
        with_topology = request.query.get("show_topology", "").lower() == "true"
        return web.json_response(instance if with_topology else without_topology(instance))

    async def update_instance(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        self._world.update_instance(request.match_info["id"], body, person(request))
        return envelope(request)

    async def upload(self, request: web.Request) -> web.Response:
        if request.content_type != "multipart/form-data":
            raise Rejection(400, INVALID, "the body must be multipart/form-data")
        try:
            form = await request.post()
        except (ValueError, HttpProcessingError) as error:
            raise Rejection(400, INVALID, f"the form cannot be read: {error}") from error
        if form.get("fileType") != "user_task":
            raise Rejection(400, INVALID, "fileType must be user_task")
        file = form.get("uploadFile")
        if not isinstance(file, web.FileField):
            raise Rejection(400, INVALID, "parameter uploadFile is required")
        stored = self._world.upload(file.filename, file.file.read(), person(request))
        summary = {key: stored[key] for key in ("id", "file_name", "workspace_id")}
        return envelope(request, data=summary)

    async def show_attachment(self, request: web.Request) -> web.Response:
        return envelope(request, data=self._world.attachment(request.match_info["attach_id"]))

    async def download(self, request: web.Request) -> web.Response:
        attachment = self._world.attachment(request.match_info["attach_id"])
        path = OBJECTS.format(attach_id=attachment["id"])
        link = f"{request.scheme}://{request.host}{path}?Signature={self._signature}"
        return envelope(request, data=link)

    async def serve_object(self, request: web.Request) -> web.Response:
        """Serve a file as the object storage behind a download link does."""
        attach_id = request.match_info["attach_id"]
        signature = request.query.get("Signature", "").encode()
        if not secrets.compare_digest(signature, self._signature.encode()):
            raise web.HTTPForbidden
        if attach_id not in self._world.contents:
            raise web.HTTPNotFound
        name = quote(self._world.attachment(attach_id)["file_name"], safe="")
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=self._world.contents[attach_id], headers=headers)

    async def create_token(self, request: web.Request) -> web.Response:
        try:
            body = strict_json.loads(await request.read())
        except ValueError:
            raise IamRejection(400, "Bad Request", "The request body is not JSON") from None
        token, description = self._authenticator.issue(body)
        return web.json_response(description, status=201, headers={"X-Subject-Token": token})
