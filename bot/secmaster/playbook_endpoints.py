"""Read and operate the runs of playbooks: SecMaster's playbook instances."""

from collections.abc import Callable
from datetime import datetime

from bot.secmaster.connection import send_anyhow
from bot.secmaster.findings import (
    PlaybookAction,
    PlaybookInstance,
    PlaybookInstancePage,
    PlaybookOperation,
    PlaybookReceipt,
)
from bot.secmaster.measured import Endpoint, measured
from bot.secmaster.replies import Reply
from bot.secmaster.shapes import answered
from bot.secmaster.transport import Transport
from bot.secmaster.values import stamp
from bot.secmaster.wire import segment

INSTANCES = "/soc/playbooks/instances"


class PlaybookEndpoints(Transport):
    """The endpoints of playbook instances."""

    @measured(Endpoint.SHOW_PLAYBOOK_INSTANCE)
    async def show_playbook_instance(self, instance_id: str) -> PlaybookInstance:
        """https://support.huaweicloud.com/api-secmaster/ShowPlaybookInstance.html."""
        return _instance(await self._get(f"{INSTANCES}/{segment(instance_id)}"))

    @measured(Endpoint.LIST_PLAYBOOK_INSTANCES)
    async def list_playbook_instances(  # noqa: PLR0913 - the endpoint's own parameters, by name
        self,
        *,
        offset: int = 0,
        limit: int = 10,
        status: str = "",
        name: str = "",
        playbook_name: str = "",
        dataclass_name: str = "",
        dataobject_name: str = "",
        trigger_type: str = "",
        date_type: str = "",
        from_date: datetime | None = None,
        to_date: datetime | None = None,
    ) -> PlaybookInstancePage:
        """https://support.huaweicloud.com/api-secmaster/ListPlaybookInstances.html.

        ``offset`` and ``limit`` come to less than 10000 together; ``date_type`` is ``START`` or
        ``END``: which of an instance's times the dates are about.
        """
        params = {
            "offset": offset,
            "limit": limit,
            "status": status,
            "name": name,
            "playbook_name": playbook_name,
            "dataclass_name": dataclass_name,
            "dataobject_name": dataobject_name,
            "trigger_type": trigger_type,
            "date_type": date_type,
            "from_date": from_date and stamp(from_date),
            "to_date": to_date and stamp(to_date),
        }
        reply = await self._get(INSTANCES, params)
        return PlaybookInstancePage.of(*reply.rows("instances", "count"))

    @measured(Endpoint.CHANGE_PLAYBOOK_INSTANCE)
    async def operate_playbook_instance(
        self,
        instance_id: str,
        operation: PlaybookOperation,
        *,
        before_send: Callable[[], None] = send_anyhow,
    ) -> PlaybookReceipt:
        """https://support.huaweicloud.com/api-secmaster/ChangePlaybookInstance.html.

        ``before_send`` may raise as the request is about to leave, and nothing is sent.
        """
        path = f"{INSTANCES}/{segment(instance_id)}/operation"
        reply = await self._send_json("POST", path, {"operation": operation}, before_send)
        instance = _instance(reply)
        return PlaybookReceipt(status=reply.status, request_id=reply.request_id, instance=instance)

    @measured(Endpoint.SHOW_PLAYBOOK_TOPOLOGY)
    async def show_playbook_topology(self, instance_id: str) -> tuple[PlaybookAction, ...]:
        """https://support.huaweicloud.com/api-secmaster/ShowPlaybookTopology.html."""
        reply = await self._get(f"{INSTANCES}/{segment(instance_id)}/topology")
        _, rows = reply.rows("action_instances", "count")
        return tuple(answered(PlaybookAction, row) for row in rows if isinstance(row, dict))


def _instance(reply: Reply) -> PlaybookInstance:
    instance = answered(PlaybookInstance, reply.body)
    # It comes without an envelope, so an id is all that tells it from any other object.
    if not instance.id:
        raise reply.unreadable("without a playbook instance")
    return instance
