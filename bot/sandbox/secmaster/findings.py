"""Alerts, incidents and other objects of data classes, and the resources that they are about."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.wire import INVALID, NOT_FOUND, Clock, Record, Rejection, stamp

ALERT: Record = {"id": "dc000001", "name": "Alert", "en_name": "Alert"}
INCIDENT: Record = {"id": "dc000002", "name": "Incident", "en_name": "Incident"}
INDICATOR: Record = {"id": "dc000003", "name": "Indicator", "en_name": "Indicator"}
# The data classes by the segment of a path that stands for them: lower case and the plural.
DATACLASSES = {"alerts": ALERT, "incidents": INCIDENT, "indicators": INDICATOR}


class Findings:
    """All objects by their id, in the shape in which SecMaster answers them, and all resources.

    ``ticking`` are the seconds in which one more occurrence of an object is counted, by its id.
    """

    def __init__(self, clock: Clock, project_id: str, workspace_id: str) -> None:
        self.objects: dict[str, Record] = {}
        self.resources: dict[str, Record] = {}
        self.ticking: dict[str, float] = {}
        self._clock = clock
        self._place = {"project_id": project_id, "workspace_id": workspace_id}
        self._counted: dict[str, datetime] = {}  # until when each ticking object was counted

    def add(self, dataclass: Record, **fields: Any) -> Record:
        """Add an object of a data class, seen for an hour by default; returns its envelope."""
        now = self._clock()
        defaults: Record = {
            "id": str(uuid4()),
            "title": "",
            "severity": "Medium",
            "count": 1,
            "first_observed_time": stamp(now - timedelta(hours=1)),
            "last_observed_time": stamp(now - timedelta(minutes=5)),
            "arrive_time": stamp(now - timedelta(minutes=5)),
            "handle_status": "Open",
            "verification_state": "Unknown",
            "simulation": "false",
            "close_reason": None,
            "close_comment": None,
            "owner": None,
            "environment": {"vendor_type": "HWC", "region_id": "cn-north-4"} | self._place,
            "resource_list": [],
            "network_list": None,
        }
        inner = defaults | fields
        envelope: Record = {
            "id": inner["id"],
            "type": "DATA_SOURCE",
            "format_version": 0,
            "version": 1,
            "create_time": inner["first_observed_time"],
            "update_time": stamp(now),
            "dataclass_ref": {"id": dataclass["id"], "name": dataclass["name"]},
            "data_object": inner,
        }
        self.objects[inner["id"]] = envelope | self._place
        return self.objects[inner["id"]]

    def add_resource(self, id_: str, name: str, level: int | None, department: str = "") -> Record:
        """Add a resource; ``level`` is 0 test, 1 general, 2 key, None unstated."""
        self.resources[id_] = {
            "id": id_,
            "name": name,
            "provider": "ecs",
            "type": "cloudservers",
            "level": level,
            "department": {"id": f"department-{department}", "name": department},
            "environment": {"vendor_type": "HWC", "ep_id": "0", "ep_name": "default"},
            "governance_user": {"type": "USER", "name": "Ana Sousa"} if department else None,
            "properties": {"hwc_ecs": {"status": "ACTIVE"}},
        }
        return self.resources[id_]

    def get(self, plural: str, id_: str) -> Record:
        """Return an object as it is now, or raise a rejection."""
        if plural not in DATACLASSES:
            raise Rejection(400, INVALID, f"dataclass {plural} does not exist")
        envelope = self.objects.get(id_)
        if envelope is None or envelope["dataclass_ref"]["id"] != DATACLASSES[plural]["id"]:
            raise Rejection(404, NOT_FOUND, f"data object {id_} does not exist")
        self._count(envelope)
        return envelope

    def resource(self, id_: str) -> Record:
        if id_ not in self.resources:
            raise Rejection(404, NOT_FOUND, f"resource {id_} does not exist")
        return self.resources[id_]

    def change(self, id_: str, **fields: Any) -> Record:
        """Change fields of an object, as its source or somebody in the console does."""
        if id_ not in self.objects:
            raise Rejection(404, NOT_FOUND, f"data object {id_} does not exist")
        envelope = self.objects[id_]
        envelope["data_object"] |= fields
        envelope |= {"update_time": stamp(self._clock()), "version": envelope["version"] + 1}
        return envelope

    def tick(self, id_: str, every: float) -> None:
        """Count one more occurrence of an object each so many seconds; 0 for none."""
        self.ticking[id_] = every
        self._counted[id_] = self._clock()

    def _count(self, envelope: Record) -> None:
        """Add the occurrences of a ticking object since it was counted last."""
        id_ = envelope["id"]
        every = self.ticking.get(id_, 0)
        occurrences = (
            int((self._clock() - self._counted[id_]).total_seconds() / every) if every else 0
        )
        if occurrences <= 0:
            return
        self._counted[id_] += timedelta(seconds=occurrences * every)
        seen = stamp(self._counted[id_])
        inner = envelope["data_object"]
        inner |= {"count": inner["count"] + occurrences, "last_observed_time": seen}
        envelope["update_time"] = seen


def resource_ref(id_: str, name: str, **fields: Any) -> Record:
    """Build a resource as an alert refers to it; ``tags`` are an object there."""
    defaults: Record = {
        "id": id_,
        "name": name,
        "type": "cloudservers",
        "provider": "ecs",
        "region_id": "cn-north-4",
        "ep_id": "0",
        "ep_name": "default",
        "tags": {"team": "web"},
    }
    return defaults | fields


def connection(src_ip: str, dest_ip: str = "192.0.2.10", **fields: Any) -> Record:
    """Build a network connection: its source port is a number, its destination port a text."""
    defaults: Record = {
        "direction": "IN",
        "protocol": "TCP",
        "src_ip": src_ip,
        "src_port": 49152,
        "src_domain": None,
        "src_geo": {"city_code": "", "country_code": "ZZ"},
        "dest_ip": dest_ip,
        "dest_port": "443",
    }
    return defaults | fields
