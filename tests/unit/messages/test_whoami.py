"""Who somebody is to the bot, and what they may do."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.delegations import Delegation
from bot.messages.whoami import Person, whoami
from bot.policy.config import parse
from bot.policy.decide import Principal
from bot.policy.rules import Rule
from tests.support.people import ALICE, DAVE, GUEST, OUTSIDER
from tests.support.samples import ENGLISH, NOW
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, principals, rules, words

POLICY = """
[roles.approver]
users = ["U0ALICE"]
[roles.oncall]
usergroups = ["S0ONCALL"]
[rights]
audit = ["approver"]
[break_glass]
channel = "C0ONCALL"
[identities]
email_domain = "example.com"
[[rules]]
name = "accounts"
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
break_glass = ["oncall"]
when = { name = "Disable IAM.*", business_type = ["PLAYBOOKNODEAPPROVE"] }
[[rules]]
actions = ["task.approve", "task.comment"]
roles = ["approver"]
[[rules]]
name = "own"
actions = ["task.terminate"]
roles = ["approver"]
self = false
reason = "required"
confirm = "type-name"
when = { overdue = true }
[[rules]]
actions = ["task.terminate", "instance.retry"]
roles = ["oncall"]
[[rules]]
effect = "deny"
actions = ["instance.debug"]
[[rules]]
actions = ["task.read", "instance.read", "playbook.read"]
roles = ["approver", "oncall"]
"""
APPROVER = Principal(ALICE, frozenset({"approver"}))


def lines_of(person: Person) -> list[str]:
    return whoami(ENGLISH, person, parse(POLICY)).text.splitlines()


def test_each_right_is_a_line_with_what_differs_below_it() -> None:
    assert lines_of(Person(APPROVER, "Alice Chen")) == [
        "*Alice Chen* · <@U0ALICE> · `U0ALICE`",
        "Roles: *approver*",
        "*Reading*",
        "✅ *Read tasks*: yes",
        "✅ *Read runs*: yes",
        "✅ *Read playbook runs*: yes",
        "*Tasks*",
        "✅ *Approve tasks*: yes",
        "      • accounts (playbook approval · name `Disable IAM.*`): yes · 2 approvals",
        "☑️ *Terminate tasks*: only in some cases",
        (
            "      • own (overdue): yes · with a reason · name typed to confirm · not for tasks "
            "you created"
        ),
        "      • otherwise: no, only *oncall* (<!subteam^S0ONCALL>)",
        "✅ *Comment on tasks*: yes",
        "▫️ *Delete comments*: no, no rule allows it to anybody",
        "▫️ *Attach files to tasks*: no, no rule allows it to anybody",
        "▫️ *Detach files from tasks*: no, no rule allows it to anybody",
        "*Workflow runs*",
        "▫️ *Retry runs*: no, only *oncall* (<!subteam^S0ONCALL>)",
        "▫️ *Terminate runs*: no, no rule allows it to anybody",
        "▫️ *Debug runs*: no, the policy denies it",
        "*Playbook runs*",
        "▫️ *Retry playbook runs*: no, no rule allows it to anybody",
        "▫️ *Terminate playbook runs*: no, no rule allows it to anybody",
        "You can also use `audit`.",
    ]


def test_delegated_rights_count_and_are_said() -> None:
    until = NOW.replace(hour=18)
    principal = Principal(DAVE, delegators=(APPROVER,))
    received = [Delegation(delegator=ALICE, delegate=DAVE, until=until)]
    lines = lines_of(Person(principal, "Dave", received))
    when = f"<!date^{int(until.timestamp())}^{{date_short_pretty}} {{time}}|2026-03-01 18:00 UTC>"
    assert lines[1:3] == [
        "You have no role of your own.",
        f"🤝 You have <@U0ALICE>'s permissions until {when}.",
    ]
    assert "✅ *Comment on tasks*: yes · on behalf of <@U0ALICE>" in lines
    assert not [line for line in lines if "You can also use" in line]  # no such right is delegated


def test_guests_and_outsiders_are_told_so_and_nothing_else() -> None:
    guest = lines_of(Person(Principal(GUEST, guest=True), "Guest"))
    assert guest[1:] == ["🚫 Guests can't read or change anything here."]
    outsider = lines_of(Person(Principal(OUTSIDER, outsider=True), "Eve"))
    assert outsider[1:] == [
        "🚫 People from other organisations or workspaces can't read or change anything here."
    ]


@FEW
@given(principals, words, st.lists(rules, max_size=5) | st.builds(lambda rule: [rule] * 200, rules))
def test_anybody_can_be_told_who_they_are(
    principal: Principal, name: str, policy_rules: list[Rule]
) -> None:
    config = parse("").model_copy(update={"rules": tuple(policy_rules)})
    assert_slack_takes(whoami(ENGLISH, Person(principal, name), config))


def test_what_a_rule_asks_about_an_alert_is_said() -> None:
    policy = parse("""
[roles.approver]
users = ["U0ALICE"]
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
[rules.when]
severity = ["High", "Fatal"]
verification = ["True_Positive"]
drill = false
source = "HSS"
category = "Malware"
asset = "prod"
asset_type = "cloud"
asset_level = ["key"]
enterprise_project = "pay"
workflow_kind = ["HEMOSTASIS", "EASE"]
""")
    line = next(
        line
        for line in whoami(ENGLISH, Person(APPROVER, "Alice"), policy).text.splitlines()
        if "•" in line
    )
    assert line == (
        "      • severity High or Fatal · verification True positive · not a drill · source "
        "`HSS` · category `Malware` · asset `prod` · asset type `cloud` · enterprise project "
        "`pay` · key asset · workflow kind `HEMOSTASIS` or `EASE`: yes"
    )
