"""Generated tasks and failed instances, which arrive while the sandbox runs."""

from typing import Any, Protocol
from uuid import UUID, uuid4

from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.wire import Clock, Record, node_record, stamp

THROTTLED = (
    "APIGW.0308 The throttling threshold has been reached: policy api over ratelimit,"
    "limit:10,time:1 minute"
)
UNREACHABLE = (
    "HTTPSConnectionPool(host='fw-edge-01.corp.example', port=443): Max retries exceeded with "
    "url: /api/v2/blocklist (Caused by ConnectTimeoutError: timed out after 30 s)"
)
TRACEBACK = """\
Script node exited with code 1
Traceback (most recent call last):
  File "/opt/secmaster/aop/runner/sandbox.py", line 214, in execute
    result = module.run(context, parameters)
  File "/opt/secmaster/aop/scripts/enrich_alert.py", line 88, in run
    indicators = [normalize(item) for item in context["alert"]["indicators"]]
  File "/opt/secmaster/aop/scripts/enrich_alert.py", line 88, in <listcomp>
    indicators = [normalize(item) for item in context["alert"]["indicators"]]
  File "/opt/secmaster/aop/scripts/enrich_alert.py", line 41, in normalize
    return Indicator(kind=item["type"], value=item["value"].strip().lower())
AttributeError: 'NoneType' object has no attribute 'strip'
""" + "\n".join(
    f"2025-08-19 14:53:{second:02d},424 WARN enrich_alert indicator {second} has no value: "
    '{"type": "ipv4", "value": null, "source": "threat-feed", "confidence": 85}'
    for second in range(30)
)

_TASKS = [
    ("Isolate host ecs-db-{number:02d}", "Ransomware note found in /srv/share by HSS."),
    (
        "Block IP 198.51.{net}.{host} at the edge firewall",
        "Brute force on SSH, 4,210 attempts an hour.",
    ),
    (
        "Disable IAM user contractor-{number:02d}",
        "Two sign-ins from two continents within 8 minutes.",
    ),
    ("隔离主机 ecs-app-{number:02d}", "主机安全检测到挖矿进程,需要人工确认。"),
]
_FAILURES = [
    ("Enrich alert with threat intelligence {number}", THROTTLED),
    ("Push blocklist to fw-edge-{number:02d}", UNREACHABLE),
    ("Normalize indicators of alert {number}", TRACEBACK),
]

# The workflows of the failed instances: many failures share one.
_KINDS = ("Enrich alert", "Push blocklist", "Normalize indicators", "Notify owner", "Close alert")
_SCOPES = ("production", "office", "cloud", "partners")
WORKFLOWS: list[Record] = [
    {
        "id": str(UUID(int=0xE1426FD5BF483B718F8EFA163E700000 + number)),
        "name": f"{kind}, {scope}",
        "name_en": f"{kind}_{scope}".lower().replace(" ", "_"),
        "version": "v1",
        "version_id": str(UUID(int=0x0696648D9D204E21B1FDFA163E700000 + number)),
    }
    for number, (kind, scope) in enumerate((kind, scope) for scope in _SCOPES for kind in _KINDS)
]


class Workspace(Protocol):
    """What tasks and instances are added to, with the clock that dates them."""

    clock: Clock

    def add_task(self, **fields: Any) -> Record: ...

    def add_instance(self, script: Script | None = None, **fields: Any) -> Record: ...


def new_task(workspace: Workspace, number: int) -> Record:
    """Add the ``number``-th task to arrive; every third continues by itself when it is due."""
    name, description = _TASKS[number % len(_TASKS)]
    return workspace.add_task(
        name=_fill_in(name, number + 1),
        description=description,
        related_object="Alert response",
        due_handle="INTERRUPT" if number % 3 else "CONTINUE",
    )


def new_failure(workspace: Workspace, number: int) -> Record:
    """Add the ``number``-th failed instance to arrive; every second fails again when retried."""
    name, error_msg = _FAILURES[number % len(_FAILURES)]
    now = stamp(workspace.clock())
    times = {"start_time": now, "end_time": now}
    nodes = [
        node_record(str(uuid4()), "Get alert", status="FINISHED", succeed=True, **times),
        node_record(str(uuid4()), "Respond", status="FAILED", error_msg=error_msg, **times),
    ]
    return workspace.add_instance(
        Script(relapse=error_msg if number % 2 else ""),
        name=_fill_in(name, number + 1),
        workflow=dict(WORKFLOWS[number % len(WORKFLOWS)]),
        status="FAILED",
        end_time=now,
        topology={"audit_logs": nodes},
    )


def _fill_in(pattern: str, number: int) -> str:
    net, host = divmod(number, 256)
    return pattern.format(number=number, net=(100 + net) % 256, host=host)
