"""What an operator reads, in CI, of what the bot would answer."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from rich.console import Console

from bot.cli import policy_check
from bot.cli.policy_check import rule_notes, unreachable
from bot.policy import cases
from bot.policy.cases import Cases, CasesError
from bot.policy.config import Config, parse
from tests.support.command_line import file_names, run_command, run_process
from tests.support.examples import examples

OLD_POLICY = """
[roles.approver]
users = ["U0ALICE"]
usergroups = ["S0SOC"]
[roles.chief]
users = ["U0FRANK"]
[identities]
email_domain = "example.com"
[break_glass]
channel = "C0GLASS"
[[rules]]
name = "isolation"
actions = ["task.approve"]
roles = ["approver"]
when = { name = "Isolate" }
approvals = 2
self = false
break_glass = ["chief"]
[[rules]]
actions = ["task.terminate"]
roles = ["chief"]
when = { overdue = true }
[[rules]]
actions = ["task.*"]
roles = ["approver"]
[[rules]]
actions = ["instance.retry"]
roles = ["chief"]
when = { workspace = ["soc"] }
[[rules]]
actions = ["instance.debug"]
roles = ["chief"]
when = { related_object = "Night" }
"""
# The lines that an older policy lacks, as they are said.
READ_RULES = """
[[rules]]
actions = ["task.read", "instance.read", "playbook.read"]
roles = ["approver", "chief"]
"""
POLICY = OLD_POLICY + READ_RULES
FACTS = """
now = 2026-11-21T12:00:00Z
[usergroups]
S0SOC = ["U0BOB", "U0GUEST", "U0OUT", "U0ERIN"]
[people.U0ALICE]
email = "alice@example.com"
[people.U0BOB]
email = "bob@example.com"
[people.U0GUEST]
guest = true
[people.U0OUT]
outsider = true
[people.U0DAVE]
email = "dave@example.com"
borrows = ["U0ALICE"]
[tasks.isolate]
name = "Isolate host web-01"
business_type = "PLAYBOOKNODEAPPROVE"
creator_name = "bob"
due_date = 2026-11-21T11:59:59Z
[tasks.anonymous]
name = "Isolate host web-02"
due_date = "2026-11-21T20:00:00.000Z+0800"
[tasks.nameless]
creator_name = "bob"
[instances.nightly]
name = "run 7"
workflow = { name = "Nightly" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the policy."""
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def policy(*arguments: object, folder: Path) -> tuple[int, str]:
    """Run ``secmaster-bot policy``; return its exit code and all that it says."""
    result = run_command("policy", *arguments, folder=folder)
    return result.exit_code, result.output


def check(folder: Path, text: str) -> tuple[int, str]:
    """Check the folder's policy against a file with this text."""
    (folder / "cases.toml").write_text(text)
    return check_files(folder)


def check_files(folder: Path) -> tuple[int, str]:
    """Check the folder's policy against its file of cases, both as they are."""
    cases_file, policy_file = folder / "cases.toml", folder / "policy.toml"
    return policy("check", cases_file, "--config", policy_file, folder=folder)


def explain(folder: Path, question: str, text: str = FACTS) -> tuple[int, str]:
    """Ask the folder's policy a question, with a file that has this text."""
    path = folder / "cases.toml"
    path.write_text(text)
    options = ("--cases", path, "--config", folder / "policy.toml")
    return policy("explain", *question.split(), *options, folder=folder)


def case(user: str, action: str, *lines: str) -> str:
    """Return the text of one of the file's cases."""
    return "\n".join(["[[cases]]", f"user = '{user}'", f"action = '{action}'", *lines, ""])


ISOLATE = "task = 'isolate'"
ALLOWED, REFUSED = "expect = 'allowed'", "expect = 'refused'"
X = "[tasks.x]\nname = 'x'\n"
GLASS = "break_glass = true"


# The answers.


@pytest.mark.parametrize(
    ("cases_text", "line"),
    [
        (
            case("U0ALICE", "task.approve", ISOLATE, ALLOWED, "rule = 'isolation'"),
            "task.approve isolate: Allowed (rule 1 “isolation”). Needs 2 approvals within 1 hr.",
        ),
        (
            case("U0BOB", "task.approve", ISOLATE, REFUSED, "why = 'self'"),
            "U0BOB task.approve isolate: Refused. Whoever created the task can't decide it",
        ),
        (
            case("U0ERIN", "task.approve", ISOLATE, REFUSED, "why = 'unmapped'"),
            "U0ERIN task.approve isolate: Refused. Whoever created the task can't decide it",
        ),
        (
            case("U0ALICE", "task.approve", "task = 'anonymous'", REFUSED, "why = 'unstated'"),
            "Refused. The rule needs data SecMaster did not return",
        ),
        (
            case("U0ALICE", "task.approve", "task = 'nameless'", REFUSED, "why = 'unstated'"),
            "Refused. The rule needs data SecMaster did not return",
        ),
        (
            case("U0EVE", "task.approve", ISOLATE, REFUSED, "why = 'rule'", "rule = 'rule 1'"),
            "Only approver can do this (rule 1 “isolation”).",
        ),
        (
            case("U0GUEST", "task.comment", REFUSED, "why = 'guest'"),
            "U0GUEST task.comment: Refused. Guests ",
        ),
        (
            case("U0OUT", "task.comment", REFUSED, "why = 'outsider'"),
            "U0OUT task.comment: Refused. People from other ",
        ),
        (
            case("U0FRANK", "task.approve", ISOLATE, GLASS, REFUSED, "why = 'unmapped'"),
            "U0FRANK task.approve isolate by emergency override: Refused. ",
        ),
        (
            case("U0ALICE", "task.approve", ISOLATE, GLASS, REFUSED, "why = 'glass'"),
            "Only chief can use the emergency override (rule 1 “isolation”).",
        ),
        (
            case("U0ALICE", "task.comment", GLASS, REFUSED, "why = 'no-glass'"),
            "There is no emergency override for this (rule 3).",
        ),
        (
            case("U0DAVE", "task.comment", ALLOWED, "rule = 'rule 3'", "approvals = 1"),
            "U0DAVE task.comment: Allowed (rule 3). On behalf of U0ALICE.",
        ),
        (
            case("U0FRANK", "task.terminate", ISOLATE, ALLOWED, "rule = 'rule 2'"),
            "U0FRANK task.terminate isolate: Allowed (rule 2).",
        ),
        (
            case("U0FRANK", "task.terminate", "task = 'anonymous'", REFUSED, "rule = 'rule 3'"),
            "Only approver can do this (rule 3).",
        ),
        (
            case("U0FRANK", "instance.retry", REFUSED, "why = 'no-rule'"),
            "U0FRANK instance.retry: Refused. No rule allows this to anybody.",
        ),
        (
            case("U0FRANK", "instance.retry", "workspace = 'soc'", ALLOWED),
            "U0FRANK instance.retry in soc: Allowed (rule 4).",
        ),
        (
            case("U0FRANK", "instance.retry", "workspace = ['main', 'soc']", ALLOWED),
            "U0FRANK instance.retry in main: Allowed (rule 4).",
        ),
        (
            case("U0FRANK", "instance.debug", "instance = 'nightly'", ALLOWED),
            "U0FRANK instance.debug nightly: Allowed (rule 5).",
        ),
    ],
)
def test_each_case_is_answered_as_the_bot_would(folder: Path, cases_text: str, line: str) -> None:
    exit_code, output = check(folder, FACTS + cases_text)
    assert "✓ 1. " in output
    assert line in output
    assert output.endswith("Cases: 1, answered otherwise: 0.\n")
    assert exit_code == 0


@pytest.mark.parametrize(
    ("expectation", "expected"),
    [
        (REFUSED, "expected refused"),
        (f"{REFUSED}\nwhy = 'self'", "expected refused (self)"),
        (f"{ALLOWED}\nrule = 'rule 2'", "expected allowed by rule 2"),
        (f"{ALLOWED}\nrule = 'isolate'", "expected allowed by isolate"),
        (f"{ALLOWED}\napprovals = 1", "expected allowed with approvals = 1"),
    ],
)
def test_a_case_that_is_answered_otherwise_is_said_and_fails(
    folder: Path, expectation: str, expected: str
) -> None:
    met = case("U0EVE", "task.comment", REFUSED)
    differing = case("U0ALICE", "task.approve", ISOLATE, expectation)
    exit_code, output = check(folder, FACTS + met + differing)
    _, first, second, last = output.splitlines()
    assert first.startswith("✓ 1. U0EVE task.comment: Refused. ")
    assert second.startswith("✗ 2. U0ALICE task.approve isolate: Allowed ")
    assert second.endswith(f"; {expected}")
    assert last == "Cases: 2, answered otherwise: 1."
    assert exit_code == 1


@pytest.mark.parametrize(
    "expectation", [ALLOWED, f"{REFUSED}\nwhy = 'self'", f"{REFUSED}\nrule = 'x'"]
)
def test_a_refusal_that_is_not_the_expected_one_fails(folder: Path, expectation: str) -> None:
    exit_code, output = check(folder, FACTS + case("U0EVE", "task.approve", ISOLATE, expectation))
    assert (
        "✗ 1. U0EVE task.approve isolate: Refused. Only approver can do this (rule 1 “isolation”)."
        in output
    )
    assert exit_code == 1


@pytest.mark.parametrize("rule", ["rule 1", "isolation", "rule 1 (isolation)"])
def test_a_rule_goes_by_its_number_its_name_or_both(folder: Path, rule: str) -> None:
    cases_text = case("U0ALICE", "task.approve", ISOLATE, ALLOWED, f"rule = '{rule}'")
    assert check(folder, FACTS + cases_text)[0] == 0


def test_a_rule_that_is_named_like_a_number_is_not_taken_for_that_one(folder: Path) -> None:
    text = POLICY.replace('name = "isolation"', 'name = "rule 3"')
    (folder / "policy.toml").write_text(text)
    cases_text = case("U0ALICE", "task.approve", ISOLATE, ALLOWED, "rule = 'rule 3'")
    assert check(folder, FACTS + cases_text)[0] == 1


def test_without_a_time_it_is_now(folder: Path) -> None:
    year = datetime.now(UTC).year
    tasks = "".join(
        f"[tasks.{name}]\nname = 'x'\ndue_date = {year + away}-01-01T00:00:00Z\n"
        for name, away in {"late": 0, "early": 1}.items()
    )
    late = case("U0FRANK", "task.terminate", "task = 'late'", ALLOWED)
    early = case("U0FRANK", "task.terminate", "task = 'early'", REFUSED)
    assert check(folder, tasks + late + early)[0] == 0


def test_a_user_group_that_is_not_listed_is_empty_and_said_so(folder: Path) -> None:
    exit_code, output = check(folder, case("U0BOB", "task.comment", REFUSED))
    assert "Note: [usergroups] says nothing of S0SOC: taken as empty." in output
    assert exit_code == 0


def test_an_older_policy_is_told_the_lines_that_let_somebody_read(folder: Path) -> None:
    refusal = case("U0ALICE", "task.read", REFUSED, "why = 'no-rule'")
    (folder / "policy.toml").write_text(OLD_POLICY)
    exit_code, output = check(folder, FACTS + refusal)
    assert "Note: No rule lets anybody read tasks or runs" in output
    lines = [line.strip() for line in output.splitlines()]
    first = lines.index("[[rules]]")
    (folder / "policy.toml").write_text("\n".join([OLD_POLICY, *lines[first : first + 3]]))
    allowed = case("U0ALICE", "task.read", ALLOWED) + case("U0DAVE", "instance.read", ALLOWED)
    refused = case("U0EVE", "task.read", REFUSED, "why = 'rule'")
    guest = case("U0GUEST", "task.read", REFUSED, "why = 'guest'")
    exit_code, output = check(folder, FACTS + allowed + refused + guest)
    assert (exit_code, "no rule lets" in output) == (0, False)
    assert explain(folder, "--user U0FRANK --action instance.read")[0] == 0


def test_a_user_group_that_no_role_has_is_said(folder: Path) -> None:
    text = "[usergroups]\nS0SOC = []\nS0SCO = ['U0BOB']\n" + case("U0BOB", "task.comment", REFUSED)
    exit_code, output = check(folder, text)
    assert output.startswith("Note: [usergroups] lists S0SCO, which no role has.\n")
    assert exit_code == 0


# What the policy itself may not mean.

DENY = "[[rules]]\neffect = 'deny'\n"
ADDED = f"rule {POLICY.count('[[rules]]') + 1}"  # behind those of the policy


def notes(folder: Path, *rules: str) -> list[str]:
    """Return what is noted of the folder's policy with these rules behind its own."""
    (folder / "policy.toml").write_text(POLICY + "".join(rules))
    exit_code, output = check(folder, FACTS + case("U0EVE", "task.comment", REFUSED))
    assert exit_code == 0
    return [line for line in output.splitlines() if line.startswith("Note: ")]


def test_rules_that_rest_on_a_name_alone_are_noted_in_one_line(folder: Path) -> None:
    alone = "Note: asked for by a name alone: rule 1 (isolation)"
    (note,) = notes(folder)
    assert note.startswith(f"{alone}. Whoever writes the playbook chooses that name, so add")
    both = (
        "[[rules]]\nactions = ['instance.terminate']\nroles = ['chief']\n"
        "when = { name = 'x', workspace = ['a'] }\n"
    )
    (note,) = notes(folder, both)
    assert note.startswith(f"{alone}, {ADDED}. ")
    typed = both.replace("workspace = ['a']", "related_object = 'y'")
    (note,) = notes(folder, typed)
    assert note.startswith(f"{alone}. ")


def test_it_is_said_what_a_deny_does_where_the_object_cannot_be_read(folder: Path) -> None:
    plain = f"{DENY}name = 'freeze'\nactions = ['task.approve']\n"
    deny = f"{plain}when = {{ related_object = 'x' }}\n"
    (note,) = notes(folder, deny)[1:]
    assert note.startswith(
        f"Note: {ADDED} (freeze) denies unless its when certainly does not fit: "
    )
    assert note.endswith("where SecMaster can't be read or does not state what it asks for.")
    assert notes(folder, plain + "when = { workspace = ['soc'] }\n")[1:] == []


@pytest.mark.parametrize(
    ("deny", "overruled"),
    [
        ("actions = ['task.approve']", ["rule 1 (isolation)"]),
        ("actions = ['task.*']", ["rule 1 (isolation)", "rule 2", "rule 3"]),
        ("actions = ['task.terminate']\nroles = ['chief']", ["rule 2"]),
        ("actions = ['instance.*']\nroles = ['approver', 'chief']", ["rule 4", "rule 5"]),
        ("actions = ['instance.retry']\nwhen = { workspace = ['soc'] }", ["rule 4"]),
        ("actions = ['task.approve']\nroles = ['approver']", []),  # chief breaks the glass
        ("actions = ['task.comment']", []),  # rule 3 has other actions
        ("actions = ['instance.debug']\nwhen = { workspace = ['soc'] }", []),
    ],
)
def test_a_rule_that_a_deny_leaves_nothing_to_allow_is_noted(
    folder: Path, deny: str, overruled: list[str]
) -> None:
    sentence = f"never allows anything: {ADDED} denies all of it."
    assert notes(folder, f"{DENY}{deny}\n")[1:] == [
        f"Note: {rule} {sentence}" for rule in overruled
    ]


@pytest.mark.parametrize(
    ("lines", "cases_text", "line"),
    [
        (
            "actions = ['task.comment']",
            case("U0ALICE", "task.comment", REFUSED, "why = 'denied'", f"rule = '{ADDED}'"),
            f"Refused. The policy denies this, whatever other rules allow ({ADDED}).",
        ),
        (
            "actions = ['task.approve']\nwhen = { name = 'x' }",
            case("U0ALICE", "task.approve", "task = 'nameless'", REFUSED, "why = 'denied-unread'"),
            "Refused. The policy denies this for some objects",
        ),
        (
            "actions = ['task.detach']",
            "[tasks.odd]\nname = 'Isоlate'\n"
            + case("U0ALICE", "task.approve", "task = 'odd'", REFUSED, "why = 'look-alike'"),
            "letters that look like others: о is Cyrillic small letter o. Rename it",
        ),
    ],
)
def test_a_case_can_expect_what_is_denied_or_unclear(
    folder: Path, lines: str, cases_text: str, line: str
) -> None:
    (folder / "policy.toml").write_text(f"{POLICY}{DENY}{lines}\n")
    exit_code, output = check(folder, FACTS + cases_text)
    assert line in output
    assert exit_code == 0


# Files that can't be meant.


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[people.U0ALICE]\nemial = 'x'", "[people.U0ALICE] emial: there is no such key"),
        ("[people.U0ALICE]\nguest = 'no'", "[people.U0ALICE] guest: "),
        ("[tasks.isolate]\ncreater_name = 'x'", "[tasks.isolate] creater_name: there is no"),
        ("[tasks.isolate]\nname = 3", "[tasks.isolate] name: "),
        ("[tasks]\nisolate = 3", "[tasks.isolate]: "),
        ("[tasks.isolate]\ndue_date = 'soon'", "[tasks.isolate] due_date: soon is no time: write"),
        (
            "[tasks.isolate]\ndue_date = 2026-11-21",
            "[tasks.isolate] due_date: 2026-11-21 is n",
        ),
        ("now = 3", "now: 3 is no time: write it as "),
        ("[instances.x.workflow]\nnmae = 'x'", "[instances.x] workflow.nmae: there is no such key"),
        ("[usergroups]\nS0SOC = 'U0ALICE'", "[usergroups] S0SOC: "),
        ("[[case]]", "[[case]]: there is no such key"),
        ("[[cases]]\naction = 'task.comment'\nexpect = 'allowed'", "[[cases]] 1: user: is missing"),
        (case("U0ALICE", "task.comment"), "[[cases]] 1: expect: is missing"),
        (case("", "task.comment", ALLOWED), "[[cases]] 1: user: "),
        (case("U0ALICE", "task.comment", "expect = 'yes'"), "[[cases]] 1: expect: "),
        (
            case("U0ALICE", "task.aprove", ALLOWED),
            "[[cases]] 1: action: 'task.aprove' is no a",
        ),
        (case("U0ALICE", "task.*", ALLOWED), "[[cases]] 1: action: 'task.*' is no action; "),
        (
            case("U0ALICE", "task.approve", ISOLATE, ALLOWED),
            "[[cases]] 1: task: 'isolate' is not defined under [tasks]; there are none",
        ),
        (
            "[instances.a]\n[instances.b]\n"
            + case("U0ALICE", "instance.retry", "instance = 'c'", ALLOWED),
            "[[cases]] 1: instance: 'c' is not defined under [instances]; there are a, b",
        ),
        (
            case("U0ALICE", "task.approve", ALLOWED),
            "[[cases]] 1: a rule asks what task.approve is done on: name the task",
        ),
        (
            "[instances.a]\n" + case("U0ALICE", "task.approve", "instance = 'a'", ALLOWED),
            "[[cases]] 1: task.approve is done on a task, and this names an instance",
        ),
        (
            "[tasks.a]\n" + case("U0ALICE", "instance.retry", "task = 'a'", ALLOWED),
            "[[cases]] 1: instance.retry is done on an instance, and this names a task",
        ),
        (
            case("U0ALICE", "task.comment", ALLOWED, "why = 'rule'"),
            "[[cases]] 1: why: only a refus",
        ),
        (case("U0ALICE", "task.comment", REFUSED, "why = 'no'"), "[[cases]] 1: why: "),
        (
            case("U0ALICE", "task.comment", REFUSED, "approvals = 2"),
            "[[cases]] 1: approvals: a refusal",
        ),
        (case("U0ALICE", "task.comment", ALLOWED, "approvals = 0"), "[[cases]] 1: approvals: "),
        (case("U0ALICE", "task.comment", ALLOWED, "workspace = []"), "[[cases]] 1: workspace: "),
        (
            case("U0ALICE", "task.comment", ALLOWED, "glass = true"),
            "[[cases]] 1: glass: there is",
        ),
        ("", "has no [[cases]], so nothing would be checked"),
        ("[[cases]", "not TOML: "),
        pytest.param("cases = " + "[" * 20_000, "not TOML: nested too deeply", id="nested"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    folder: Path, text: str, line: str
) -> None:
    exit_code, output = check(folder, text)
    assert exit_code == 2
    assert output.startswith(f"{folder / 'cases.toml'}: {line}")
    assert len(output.splitlines()) == 1


def test_all_problems_are_listed_at_once(folder: Path) -> None:
    exit_code, output = check(
        folder,
        "[people.U0ALICE]\nemial = 'x'\n"
        + case("U0ALICE", "task.aprove", ISOLATE, ALLOWED)
        + case("U0ALICE", "instance.retry", "instance = 'x'", "expects = 'allowed'"),
    )
    assert exit_code == 2
    for place in (
        "[people.U0ALICE] emial",
        "[[cases]] 1: action",
        "[[cases]] 1: task",
        "[[cases]] 2: instance",
    ):
        assert f"{folder / 'cases.toml'}: {place}: " in output
    assert "[[cases]] 2: expect: is missing" in output
    assert "[[cases]] 2: expects: there is no such key" in output


def test_a_policy_given_as_cases_is_told_how_it_is_meant(folder: Path) -> None:
    path = folder / "policy.toml"
    exit_code, output = policy("check", path, "--config", path, folder=folder)
    assert exit_code == 2
    sentence = "is a policy, and here cases are meant: give it with --config"
    assert output.startswith(f"{path}: {sentence}")


def test_a_rule_that_can_not_have_as_many_people_as_it_asks_for_fails_the_check(
    folder: Path,
) -> None:
    rule = "[[rules]]\nname = 'both'\nactions = ['task.approve']\nroles = ['pair']\napprovals = 3\n"
    pair = "[roles.pair]\nusers = ['U0ALICE', 'U0BOB']\n"
    cases = case("U0ALICE", "task.approve", "expect = 'allowed'")
    (folder / "policy.toml").write_text(pair + rule)
    exit_code, output = check(folder, cases)
    assert exit_code == 1
    assert (
        "✗ rule 1 (both) asks for approvals = 3, and its roles name 2: U0ALICE, U0BOB\n" in output
    )
    (folder / "policy.toml").write_text(f"{pair}usergroups = ['S0SOC']\n{rule}")
    exit_code, output = check(folder, cases)
    assert (exit_code, "approvals = 3, and" in output) == (0, False)


@pytest.mark.parametrize(
    ("before", "is_noted"),
    [
        ("actions = ['task.*']", True),
        ("actions = ['*']\nwhen = { name = 'x' }", True),
        ("actions = ['task.*']\nwhen = { name = 'y' }", False),
        ("actions = ['task.comment', 'task.approve']", False),
        ("effect = 'deny'\nactions = ['task.comment']\nwhen = { name = 'x' }", False),
    ],
)
def test_a_rule_that_never_decides_as_an_earlier_one_does_is_noted(
    folder: Path, before: str, *, is_noted: bool
) -> None:
    last = "[[rules]]\nactions = ['task.approve', 'task.terminate']\nroles = ['a']\n"
    last += "when = { name = 'x' }\n"
    (folder / "policy.toml").write_text(
        f"[roles.a]\nusers = ['U0ALICE']\n[[rules]]\nroles = ['a']\n{before}\n{last}"
    )
    _, output = check(folder, case("U0ALICE", "task.comment", "task = 'x'", REFUSED) + X)
    assert ("Note: rule 2 never decides anything: rule 1 decides all" in output) is is_noted


def test_a_name_in_the_place_of_a_member_id_is_answered_about_the_id(folder: Path) -> None:
    arguments = ("--user", "alice", "--action", "task.approve", "--config", "policy.toml")
    exit_code, output = policy("explain", *arguments, folder=folder)
    assert exit_code == 2
    assert output.startswith("user: 'alice' is no member id, such as U0123ABCD: open the person's")
    assert len(output.splitlines()) == 1


def test_a_person_may_be_asked_about_by_the_e_mail_that_the_cases_have(folder: Path) -> None:
    question = "--action task.approve --task isolate --user"
    by_id = explain(folder, f"{question} U0ALICE")
    assert "U0ALICE task.approve isolate" in by_id[1]
    for email in ("alice@example.com", "Alice@Example.com"):
        assert explain(folder, f"{question} {email}") == by_id
    exit_code, output = explain(folder, f"{question} eve@example.com")
    assert exit_code == 2
    assert "'eve@example.com' is no member id, such as U0123ABCD" in output


@pytest.mark.parametrize("missing", ["cases.toml", "policy.toml"])
def test_a_file_that_is_not_there_is_no_empty_file(folder: Path, missing: str) -> None:
    (folder / "cases.toml").write_text(case("U0ALICE", "task.comment", REFUSED))
    (folder / missing).unlink()
    exit_code, output = check_files(folder)
    assert exit_code == 2
    assert output.startswith(f"{folder / missing}: there is no such file")


@pytest.mark.parametrize("broken", ["cases.toml", "policy.toml"])
def test_a_file_that_cannot_be_read_is_refused_by_name(folder: Path, broken: str) -> None:
    (folder / "cases.toml").write_text(case("U0ALICE", "task.comment", ALLOWED))
    (folder / broken).write_bytes(b"# caf\xe9\n")
    exit_code, output = check_files(folder)
    assert exit_code == 2
    assert output.startswith(f"{folder / broken}: is not UTF-8 text")


def test_a_wrong_policy_is_refused_with_all_its_lines(folder: Path) -> None:
    (folder / "policy.toml").write_text("colour = 'red'\n[watch]\nevery = -1")
    exit_code, output = check(folder, case("U0ALICE", "task.comment", REFUSED))
    assert exit_code == 2
    assert "policy.toml: colour: " in output
    assert "policy.toml: [watch] every: " in output


@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("cases = 3")
@example("cases = [3]")
@example(
    "tasks = 3\n[[cases]]\nuser = 'x'\naction = 'task.approve'\ntask = 'x'\nexpect = 'allowed'"
)
@example("[[cases]]\nuser = 'x'\naction = 3\ntask = []\nexpect = 'allowed'")
@given(st.text())
def test_whatever_stands_in_the_file_it_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        assert isinstance(cases.load(path, Config()), Cases)
    except CasesError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either is right


# One question.


def test_a_yes_says_by_which_rule_and_who_else_could(folder: Path) -> None:
    exit_code, output = explain(folder, "--user U0ALICE --action task.approve --task isolate")
    assert exit_code == 0
    assert output.splitlines() == [
        (
            "✓ U0ALICE task.approve isolate: Allowed (rule 1 “isolation”). Needs 2 approvals "
            "within 1 hr."
        ),
        "  roles of U0ALICE: approver",
        "  in SecMaster: alice@example.com",
        "  allowed to: approver",
        "  could: U0ALICE, U0DAVE",
    ]


def test_a_no_says_why_and_who_could(folder: Path) -> None:
    exit_code, output = explain(folder, "--user U0EVE --action task.comment")
    assert exit_code == 1
    assert output.splitlines() == [
        "✗ U0EVE task.comment: Refused. Only approver can do this (rule 3).",
        "  roles of U0EVE: none",
        "  in SecMaster: not known",
        "  allowed to: approver",
        "  could: U0ALICE, U0BOB, U0DAVE, U0ERIN",
    ]


def test_lent_rights_are_named_with_whose_they_are(folder: Path) -> None:
    exit_code, output = explain(folder, "--user U0DAVE --action task.comment")
    assert exit_code == 0
    assert "  roles of U0DAVE: none\n" in output
    assert "  delegated by U0ALICE: approver\n" in output


def test_breaking_the_glass_is_another_question(folder: Path) -> None:
    question = "--user U0FRANK --action task.approve --task isolate"
    frank = "[people.U0FRANK]\nemail = 'frank@example.com'\n"
    assert explain(folder, question, FACTS + frank)[0] == 1
    exit_code, output = explain(folder, f"{question} --break-glass", FACTS + frank)
    assert exit_code == 0
    assert "by emergency override: Allowed (rule 1 “isolation”). A reason is required. " in output
    assert "The emergency override is announced." in output
    assert "  could: U0FRANK\n" in output


def test_whoever_could_is_named_though_only_the_policy_knows_them(folder: Path) -> None:
    exit_code, output = explain(folder, "--user U0ALICE --action task.terminate --task isolate")
    assert exit_code == 1
    assert "  could: U0FRANK\n" in output


def test_where_nobody_could_that_is_said(folder: Path) -> None:
    exit_code, output = explain(folder, "--user U0ALICE --action instance.terminate")
    assert exit_code == 1
    assert "  could: nobody who is named here\n" in output


def test_a_question_about_another_workspace_names_it(folder: Path) -> None:
    question = "--user U0FRANK --action instance.retry"
    assert explain(folder, question)[0] == 1
    assert explain(folder, f"{question} --workspace soc")[0] == 0


def test_a_question_needs_no_cases_where_no_rule_asks_about_the_object(folder: Path) -> None:
    options = ("--action", "task.comment", "--config", folder / "policy.toml")
    assert policy("explain", "--user", "U0ALICE", *options, folder=folder)[0] == 0
    exit_code, output = policy("explain", "--user", "U0BOB", *options, folder=folder)
    assert exit_code == 1
    assert "Note: [usergroups] says nothing of S0SOC: taken as empty." in output


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("--user U0ALICE --action task.aprove", "action: 'task.aprove' is no action; there are "),
        ("--user U0ALICE --action task.comment --task x", "task: 'x' is not defined under [tasks]"),
        ("--user U0ALICE --action task.approve", "a rule asks what task.approve is done on: name"),
        ("--user U0ALICE --action task.comment --instance nightly", "task.comment is done on a"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused_in_one_sentence(
    folder: Path, question: str, line: str
) -> None:
    exit_code, output = explain(folder, question)
    assert exit_code == 2
    assert output.startswith(line)
    assert len(output.splitlines()) == 1


async def test_it_runs_where_there_is_neither_slack_nor_secmaster_nor_any_setting(
    folder: Path,
) -> None:
    (folder / "secmaster-bot.toml").write_text(POLICY)
    (folder / "cases.toml").write_text(FACTS + case("U0ALICE", "task.comment", ALLOWED))
    result = await run_process("policy", "check", "cases.toml", folder=folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\n✓ 1. U0ALICE task.comment: Allowed (rule 3)." in result.stdout
    assert file_names(folder) == ["cases.toml", "policy.toml", "secmaster-bot.toml"]


def test_brackets_and_line_breaks_of_a_file_are_shown_as_they_are(folder: Path) -> None:
    text = '[tasks."[red]x\\ny[/red]"]\nname = "x"\n' + case(
        "U0ALICE", "task.comment", 'task = "[red]x\\ny[/red]"', ALLOWED
    )
    exit_code, output = check(folder, text)
    assert exit_code == 0
    assert "U0ALICE task.comment [red]x y[/red]: Allowed" in output


@pytest.mark.parametrize(
    ("approvers", "managers", "problem"),
    [
        ("['U0ALICE']", "['U0ALICE', 'U0BOB']", None),
        ("['U0ALICE']", "['U0ALICE']", 'rule 1 asks for approvals = [{ role = "approver", count ='),
        ("['U0ALICE', 'U0BOB']", "[]", "rule 1: its stage of 1 by manager can't be filled: nobody"),
    ],
)
def test_stages_that_too_few_people_can_fill_fail_the_check(
    approvers: str, managers: str, problem: str | None
) -> None:
    policy = parse(
        f"[roles.approver]\nusers = {approvers}\n[roles.manager]\nusers = {managers}\n"
        "[[rules]]\nactions = ['task.approve']\nroles = ['approver', 'manager']\n"
        "approvals = [{ role = 'approver', count = 1 }, { role = 'manager', count = 1 }]\n"
    )
    found = list(unreachable(policy))
    assert len(found) == (problem is not None)
    assert not problem or found[0].startswith(problem)


def test_a_role_that_is_in_none_of_a_rules_stages_is_noted() -> None:
    policy = parse(
        "[roles.approver]\nusers = ['U0ALICE']\n[roles.lead]\nusers = ['U0CAROL']\n"
        "[roles.manager]\nusers = ['U0BOB']\n"
        "[[rules]]\nactions = ['task.approve']\nroles = ['approver', 'lead', 'manager']\n"
        "approvals = [{ role = 'approver', count = 1 }, { role = 'manager', count = 1 }]\n"
        "[[rules]]\nactions = ['task.terminate']\nroles = ['approver', 'lead']\napprovals = 2\n"
    )
    [note] = rule_notes(policy.rules)
    assert note == (
        "rule 1 names lead in none of its stages: whoever has that role alone can decline a "
        "request, and not approve"
    )


AROUND = """
[tasks.key]
name = "Isolate"
business_type = "WORKFLOWNODEAPPROVE"

[tasks.key.evidence]
severity = "Fatal"
verification_state = "Unknown"
simulation = false
product_name = "HSS"
company_name = "Huawei"
category = "Malware"
type = "Ransomware"
aop_type = "HEMOSTASIS"
assets = [
    { name = "prod-1", type = "cloudservers", level = "key", ep_name = "payments" },
    { name = "test-1", level = "test" },
]

[tasks.unread]
name = "Isolate"
business_type = "WORKFLOWNODEAPPROVE"
evidence = { unread = ["alert"] }

[tasks.nothing]
name = "Isolate"
business_type = "WORKFLOWNODEAPPROVE"

[[cases]]
user = "U0ALICE"
action = "task.approve"
task = "key"
expect = "allowed"
approvals = 2
rule = "two"

[[cases]]
user = "U0ALICE"
action = "task.approve"
task = "unread"
expect = "refused"
why = "evidence-unread"

[[cases]]
user = "U0ALICE"
action = "task.approve"
task = "nothing"
expect = "refused"
why = "evidence-unread"
"""
ASKING = """
[roles.approver]
users = ["U0ALICE", "U0BOB"]

[[rules]]
name = "two"
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
[rules.when]
severity = ["Fatal"]
verification = ["Unknown"]
drill = false
source = "HSS/Huawei"
category = "Malware/Ransomware"
asset = "prod"
asset_type = "cloud"
asset_level = ["key"]
enterprise_project = "pay"
workflow_kind = ["HEMOSTASIS"]

[[rules]]
actions = ["task.approve"]
roles = ["approver"]
"""


def test_cases_say_what_stands_around_a_task(tmp_path: Path) -> None:
    policy, facts = tmp_path / "policy.toml", tmp_path / "cases.toml"
    policy.write_text(ASKING)
    facts.write_text(AROUND)
    output = StringIO()
    assert policy_check.check(facts, policy, Console(file=output, width=200)), output.getvalue()
    explained = StringIO()
    question = {"user": "U0ALICE", "action": "task.approve", "task": "unread"}
    assert not policy_check.explain(question, facts, policy, Console(file=explained, width=200))
    assert "The alert can't be read. SecMaster did not answer." in explained.getvalue()
