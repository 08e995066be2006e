"""Read what tasks are about: alerts, incidents, other objects, resources, blocks."""

from collections.abc import Mapping

from bot.secmaster.findings import Finding, PolicyRecordPage, Resource
from bot.secmaster.measured import Endpoint, measured
from bot.secmaster.replies import Reply
from bot.secmaster.shapes import answered
from bot.secmaster.transport import Transport
from bot.secmaster.wire import segment

# The version of the service whose policy records these are: without the header it refuses.
POLICY_RECORDS = {"X-Secmaster-Version": "25.5.0"}


class FindingEndpoints(Transport):
    """The endpoints of alerts, incidents, objects of any data class, resources and blocks."""

    @measured(Endpoint.SHOW_ALERT)
    async def show_alert(self, alert_id: str) -> Finding:
        """https://support.huaweicloud.com/api-secmaster/ShowAlert.html."""
        return _finding(await self._get(f"/soc/alerts/{segment(alert_id)}"))

    @measured(Endpoint.SHOW_INCIDENT)
    async def show_incident(self, incident_id: str) -> Finding:
        """https://support.huaweicloud.com/api-secmaster/ShowIncident.html."""
        return _finding(await self._get(f"/soc/incidents/{segment(incident_id)}"))

    @measured(Endpoint.SHOW_DATAOBJECT)
    async def show_dataobject(self, dataclass_name: str, data_object_id: str) -> Finding:
        """https://support.huaweicloud.com/api-secmaster/ShowDataobject.html.

        ``dataclass_name`` is the class's in lower case and the plural, such as ``indicators``.
        """
        path = f"/soc/{segment(dataclass_name)}/{segment(data_object_id)}"
        return _finding(await self._get(path))

    @measured(Endpoint.SHOW_RESOURCE)
    async def show_resource(self, resource_id: str) -> Resource:
        """https://support.huaweicloud.com/api-secmaster/ShowResource.html."""
        reply = await self._get(f"/sa/resources/{segment(resource_id)}")
        return answered(Resource, reply.object("data"))

    @measured(Endpoint.SEARCH_POLICY_RECORDS)
    async def search_policy_records(
        self, equal: Mapping[str, str], *, offset: int = 0, limit: int = 100
    ) -> PolicyRecordPage:
        """https://support.huaweicloud.com/api-secmaster/SearchPolicyRecord.html.

        Return the records whose fields ``equal`` these values, all of them; a field's name is the
        record's own, such as ``block_target``. Which names SecMaster filters by is unstated, so
        check the records that come.
        """
        logics = [part for name in equal for part in ("and", name)][1:]
        conditions = [{"name": name, "data": [name, "=", value]} for name, value in equal.items()]
        condition = {"conditions": conditions, "logics": logics} if equal else None
        fields = {"offset": offset, "limit": limit, "condition": condition}
        path = "/soc/policy-records/search"
        reply = await self._send_json("POST", path, fields, headers=POLICY_RECORDS)
        return PolicyRecordPage.of(*reply.rows("data", "total"))


def _finding(reply: Reply) -> Finding:
    finding = Finding.of(reply.object("data"))
    if not finding.id:
        raise reply.unreadable("without the object's id")
    return finding
