"""What is known around an object: short on its card, whole in its Details, and inert everywhere."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import ApprovalRequest
from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, Ref
from bot.domain.slack import SlackLocation
from bot.domain.snapshots import ListPage, Snapshot
from bot.domain.stages import one_stage
from bot.domain.tracking import TrackedObject
from bot.messages import (
    RenderContext,
    approval_calls,
    batch_forms,
    card,
    details,
    evidence,
    failure_groups,
    home,
    lists,
    notifications,
    task_groups,
)
from bot.messages.blocks import Viewer
from bot.messages.text import defang, prose
from bot.secmaster import (
    Evidence,
    Finding,
    FindingResource,
    Instance,
    Named,
    Resource,
    Task,
    Unread,
)
from tests.support.rendered import blocks_of, read
from tests.support.samples import ENGLISH, FAILED, NOW, RUN, TASK, WAITING
from tests.support.slack_limits import assert_slack_opens, assert_slack_takes
from tests.support.strategies import FEW, words

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

ALERT = Finding.of(
    {
        "id": "alert-1",
        "dataclass_ref": {"name": "Alert"},
        "data_object": {
            "id": "alert-1",
            "title": "Beacon to evil.example",
            "severity": "Fatal",
            "count": 3,
            "first_observed_time": "2026-03-01T11:00:00Z",
            "last_observed_time": "2026-03-01T11:50:00Z",
            "handle_status": "Open",
            "verification_state": "Unknown",
            "description": "see http://evil.example/x",
            "labels": "prod, web",
            "source_url": "https://console.huaweicloud.com/alerts/1?a=1&b=2",
            "alert_type": {"category": "Malware", "alert_type": "Web shell"},
            "data_source": {"product_name": "HSS"},
            "resource_list": [
                {"id": "r-1", "name": "ecs-web-07", "type": "cloudservers", "ep_name": "Shop"},
                {"id": "r-2", "name": "ecs-db-02"},
            ],
            "network_list": [
                {
                    "direction": "OUT",
                    "protocol": "TCP",
                    "src_ip": "2001:db8::1",
                    "src_port": 51514,
                    "dest_ip": "203.0.113.7",
                    "dest_port": "443",
                    "dest_domain": "evil.example",
                }
            ],
            "user_info": [{"user_id": "33", "user_name": "www-data"}],
            "process": [{"process_path": "/bin/sh", "process_cmdline": "curl http://evil.example"}],
            "file_info": [
                {"file_path": "/x/a.php", "file_sha256": "9f86", "file_content": "<?php"}
            ],
            "malware": {"malware_family": "China Chopper"},
            "remediation": {"recommendation": "Isolate the host."},
        },
    }
)
SOURCE = "https://console.huaweicloud.com/alerts/1?a=1&amp;b=2"
MANAGED = Resource(id="r-1", level="2", department="Web shop", governance_user="Ana")
KNOWN = Evidence(
    read_at=NOW, finding=ALERT, resource=MANAGED, run=Named(id="i-7", name="A secret run")
)
TASK_CONTEXT = RenderContext(TASK, NOW, ENGLISH, "soc-east")


def with_evidence(known: Evidence | None) -> Task:
    return WAITING.model_copy(update={"evidence": known})


def changed(**fields: Any) -> Evidence:
    """Return the evidence with other fields of its alert."""
    return KNOWN.model_copy(update={"finding": ALERT.model_copy(update=fields)})


def test_the_card_says_first_how_severe_it_is_and_what_matters_in_seven_lines() -> None:
    message = card(TASK_CONTEXT, with_evidence(KNOWN), None)
    assert message.text.startswith("🔥 Fatal · Isolate host 10.0.0.7: ")
    lines = blocks_of(message)[1]["text"]["text"].splitlines()
    date = "<!date^1772362800^{date_short_pretty} {time}|2026-03-01 11:00 UTC>"
    assert lines == [
        "🔥 *Fatal* · *Alert* Beacon to evil[.]example",
        "*Asset* `ecs-web-07` · cloudservers · *key asset* · enterprise project Shop · 1 more",
        "*Outbound* TCP `[2001:db8::1]:51514` → `203.0.113.7:443`",
        "*User* `www-data` · *Process* `/bin/sh`",
        f"Seen 3 times since {date} · Not verified · *Handling* Open",
    ]
    small_print = blocks_of(message)[-1]["elements"][0]["text"]
    origin = f"Malware / Web shell · HSS · <{SOURCE}|Open in Huawei Cloud>"
    assert small_print.startswith(f"{origin}\n*Advice* Isolate the host.\n")
    assert "A secret run" not in read(message)  # whoever may read the task may not read runs


def test_what_is_known_of_another_resource_is_not_said_of_the_asset() -> None:
    resources = (FindingResource(id="r-9", name="ecs-db-02"),)
    known = changed(resources=resources).model_copy(
        update={"resource": MANAGED.model_copy(update={"ep_name": "Payments"})}
    )
    lines = blocks_of(card(TASK_CONTEXT, with_evidence(known), None))[1]["text"]["text"]
    assert "*Asset* `ecs-db-02`\n" in lines
    shown = read(details.details(TASK_CONTEXT, with_evidence(known)))
    assert not any(text in shown for text in ("key asset", "Payments", "Web shop", "Ana"))


def test_the_buttons_come_before_what_no_decision_needs() -> None:
    blocks = blocks_of(card(TASK_CONTEXT, with_evidence(KNOWN), None))
    assert [block["type"] for block in blocks[-2:]] == ["actions", "context"]
    assert "Created by: Robot" in str(blocks[-1])
    assert "Robot" not in str(blocks[:-1])


def test_the_details_have_everything_but_what_a_file_contains() -> None:
    text = read(details.details(TASK_CONTEXT, with_evidence(KNOWN)))
    for part in (
        *("*Labels*\nprod, web", "*Last seen*\n<!date"),
        "• `ecs-web-07` · cloudservers · *key asset* · enterprise project Shop · `r-1`",
        *("department Web shop", "owner Ana", "• `ecs-db-02` · `r-2`"),
        "`203.0.113.7:443` (`evil.example`)",
        *("`www-data` (`33`)", "`curl http://evil.example`", "SHA-256 `9f86`", "`China Chopper`"),
        *("see hxxp://evil[.]example/x", "Isolate the host.", "Read from SecMaster <!date"),
    ):
        assert part in text
    assert "php" not in text.replace("/x/a.php", "")
    assert "A secret run" not in text


@pytest.mark.parametrize(
    ("unread", "sentence"),
    [
        (
            Unread(subject="alert", status=403),
            "The alert can't be read. SecMaster answered HTTP 403:",
        ),
        (
            Unread(subject="incident", status=404, code="SecMaster.20010004"),
            "The incident can't be read. SecMaster answered HTTP 404: it does not exist there.",
        ),
        (
            Unread(subject="alert", status=404, code="APIGW.0101"),
            "HTTP 404 before SecMaster was asked: this region may not offer it.",
        ),
        (
            Unread(subject="alert", status=404),
            "The alert can't be read. The gateway answered HTTP 404 before SecMaster was asked:",
        ),
        (
            Unread(subject="run", status=500),
            "The run that waits can't be read. SecMaster answered HTTP",
        ),
        (Unread(subject="finding", code="unusable_name"), "SecMaster does not say which it is."),
        (Unread(subject="alert", code="timeout"), "SecMaster did not answer. It is tried again."),
        (Unread(subject="resource", status=403), ""),  # nothing that a decision waits for
    ],
)
def test_what_can_not_be_read_is_said_in_small_print(unread: Unread, sentence: str) -> None:
    known = Evidence(read_at=NOW, unread=(unread,))
    blocks = blocks_of(card(TASK_CONTEXT, with_evidence(known), None))
    small = str([block for block in blocks if block["type"] == "context"])
    assert (sentence in small) if sentence else ("can't be read" not in small)
    assert any(block["type"] == "actions" for block in blocks)
    assert sentence in read(details.details(TASK_CONTEXT, with_evidence(known)))


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("from 203.0.113.7.", "from 203[.]0[.]113[.]7."),
        ("HTTPS://evil.example/x", "hxxps://evil[.]example/x"),
        ("ftp://evil.example", "ftp[:]//evil[.]example"),
        ("evil\u200b.\u202eexample", "evil[.]example"),
        ("恶意.com", "恶意[.]com"),
        ("evil．example", "evil[.]example"),
        ("2001:db8::1", "2001[:]db8::1"),
        (":white_check_mark: Approved", "[:]white_check_mark: Approved"),
        ("1.5 times at 10:30:00, 1,024.", "1.5 times at 10:30:00, 1,024."),
    ],
)
def test_text_of_an_attacker_is_defanged(text: str, inert: str) -> None:
    assert defang(text) == inert


def test_prose_is_neither_bold_nor_a_mention() -> None:
    assert (
        prose("*Approved* ~by~ `x` <!here>\n> all") == "∗Approved∗ ∼by∼ ˋxˋ &lt;!here&gt; &gt; all"
    )


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "https://", "https://a@evil.example/", "https://x y", "//evil"),
        *(
            "https://e|x",
            "https://e>x",
            "https://[",
            "https://中.example",
            f"https://e/{'x' * 500}",
        ),
    ],
)
def test_only_plain_web_addresses_become_links(url: str) -> None:
    assert evidence.source_link(ENGLISH, url) == ""


def test_each_severity_has_a_sign_of_its_own_and_a_word_and_an_unknown_one_is_said() -> None:
    texts = [evidence.severity(ENGLISH, text) for text in evidence.SEVERITIES]
    assert texts == ["💡 Tips", "🔹 Low", "🔶 Medium", "🔺 High", "🔥 Fatal"]
    assert evidence.severity(ENGLISH, "<!channel>") == "&lt;!channel&gt;"
    assert evidence.severity(ENGLISH, "") == ""


def tracked(ref: Ref, snapshot: Snapshot) -> TrackedObject:
    return TrackedObject(ref, snapshot, NOW)


REQUEST = ApprovalRequest(
    id="x",
    action="task.approve",
    approvals=(),
    stages=one_stage(2),
    expires_at=NOW + timedelta(hours=1),
)
# Every message that has a row or a line about an object, by what it is called with.
ROWS: dict[str, Callable[[Task, Instance], Any]] = {
    "list": lambda task, _run: lists.listing(
        ENGLISH, ListQuery(kind="task"), ListPage([task], 1), "main", NOW
    ),
    "runs": lambda _task, run: lists.listing(
        ENGLISH, ListQuery(kind="instance"), ListPage([run], 1), "main", NOW
    ),
    "group": lambda task, _run: task_groups.card(
        TASK_CONTEXT, [tracked(TASK, task)], (1, 1), {}, {}, "/task"
    ),
    "failures": lambda _task, run: failure_groups.card(
        replace(TASK_CONTEXT, ref=RUN), [tracked(RUN, run)], (1, 1), {}, {}
    ),
    "reminder": lambda task, _run: notifications.reminder(ENGLISH, [], [task], NOW),
    "escalated": lambda task, _run: notifications.escalated(ENGLISH, "", [], task),
    "quiet": lambda task, _run: notifications.quiet_summary(ENGLISH, [tracked(TASK, task)], 1, NOW),
    "call": lambda task, _run: approval_calls.in_thread(TASK_CONTEXT, task, REQUEST),
    "calls": lambda task, _run: approval_calls.batch_in_thread(TASK_CONTEXT, [(task, REQUEST)] * 2),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_and_notifications_have_the_severity_and_the_asset(name: str) -> None:
    run = FAILED.model_copy(update={"evidence": KNOWN})
    text = str(ROWS[name](with_evidence(KNOWN), run).payload)
    assert "🔥 Fatal" in text
    assert "`ecs-web-07`" in text


def selection(task: Task) -> dict[str, Any]:
    state = batch_forms.BatchFormState(kind="task", location=SlackLocation(channel="C0SOC"))
    options = batch_forms.BatchOptions([task], 1, "/task", NOW)
    query = BatchQuery(kind="task", workspace="main")
    return batch_forms.selection_form(ENGLISH, query, state, options)


def home_view(task: Task) -> dict[str, Any]:
    context = replace(TASK_CONTEXT, viewer=Viewer())
    row = home.HomeRow(context, task, ())
    options = home.HomeOptions(tasks="all")
    return home.view(ENGLISH, home.Home(options, [row], [], [], [], NOW))


def test_forms_and_home_have_them_too() -> None:
    task = with_evidence(KNOWN)
    assert "🔥 Fatal · ecs-web-07 · " in str(selection(task))
    assert "🔥 Fatal · `ecs-web-07`" in str(home_view(task))


# Nothing that a finding holds breaks a message.

texts = words | st.sampled_from(
    ["http://evil.example", "203.0.113.7", ":tada:", "https://e.example"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    *("id", "title", "description", "severity", "confidence", "count", "first_observed_time"),
    *("source_url", "labels", "handle_status", "verification_state", "owner", "close_comment"),
]


def items(*names: str) -> st.SearchStrategy[Any]:
    """Return up to very many objects with these fields, or anything else."""
    one = st.fixed_dictionaries({}, optional=dict.fromkeys(names, texts | json_values))
    many = st.builds(lambda item, number: [item] * number, one, st.sampled_from([1, 40]))
    return many | st.lists(one, max_size=3) | json_values


findings = st.builds(
    Finding.of,
    st.fixed_dictionaries(
        {},
        optional={
            "dataclass_ref": json_values | st.just({"name": "Alert"}),
            "data_object": st.fixed_dictionaries(
                {},
                optional={
                    **dict.fromkeys(FIELDS, texts | json_values),
                    "resource_list": items("id", "name", "type", "ep_name", "region_id"),
                    "network_list": items("direction", "src_ip", "src_port", "dest_domain"),
                    "user_info": items("user_id", "user_name"),
                    "process": items("process_name", "process_pid", "process_cmdline"),
                    "file_info": items("file_path", "file_sha256"),
                    "alert_type": json_values,
                    "data_source": json_values,
                    "malware": json_values,
                    "remediation": st.fixed_dictionaries(
                        {}, optional={"recommendation": texts, "url": texts}
                    ),
                },
            ),
        },
    ),
)
# A name of a host that could be taken for a link, outside of a code span.
LIVE = re.compile(r"https?://(?!console\.example)|(?<![\w.])(?:evil|e)\.example")


@given(findings, words)
@FEW
def test_no_finding_breaks_a_message_or_becomes_a_link(finding: Finding, level: str) -> None:
    known = Evidence(
        read_at=NOW,
        finding=finding,
        resource=Resource(
            id=finding.resources[0].id if finding.resources else "",
            level=level,
            department=level,
            ep_name=level,
        ),
        unread=(Unread(subject="alert", status=500),),
    )
    task, run = with_evidence(known), FAILED.model_copy(update={"evidence": known})
    for message in (
        card(TASK_CONTEXT, task, None),
        card(replace(TASK_CONTEXT, ref=RUN), run, None),
        *(render(task, run) for render in ROWS.values()),
    ):
        assert_slack_takes(message)
    for view in (details.details(TASK_CONTEXT, task), selection(task)):
        assert_slack_opens(view)
    assert_slack_opens(home_view(task), "home")
    lines = "\n".join(evidence.card_lines(ENGLISH, known))
    assert not LIVE.search(re.sub(r"`[^`]*`|<https?://[^|]*\|", "", lines)), lines
