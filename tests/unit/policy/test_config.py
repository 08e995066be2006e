"""The policy file: everything in it is honoured, or the file is refused with the reason."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.stages import Stage, one_stage
from bot.policy.config import Config, ConfigError, PolicyHolder, Rights, WatchConfig, load, parse
from bot.policy.routes import Brake, DigestSchedule, Escalation, Quiet, Route, RouteConditions
from bot.policy.rules import READS, Rule, RuleConditions
from tests.support.examples import examples

EXAMPLE = (Path(__file__).parents[3] / "secmaster-bot.example.toml").read_text()
ROLES = "[roles.approver]\nusers = ['U0ALICE']\n"
RULE = "[[rules]]\nactions = ['task.approve']\nroles = ['approver']\n"
ROUTE = "[[routes]]\nchannel = 'C0SOC'\ntasks = true\n"
DIGEST = "[[digests]]\nchannel = 'C0SOC'\nat = ['08:30']\n"
NEEDS = "[identities]\nemail_domain = 'example.com'\n[break_glass]\nchannel = 'C0GLASS'\n"


def problems(text: str) -> list[str]:
    """The lines a person gets for a file that is wrong."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value).splitlines()


def test_a_whole_file_is_read_as_written() -> None:
    config = parse(
        """
        [roles.approver]
        users = ["U0ALICE"]
        usergroups = ["S0SOC"]

        [[rules]]
        actions = ["task.approve", "instance.*"]
        roles = ["approver"]
        when = { business_type = ["PLAYBOOKNODEAPPROVE"], name = "isolate.*" }
        reason = "required"

        [[rules]]
        actions = ["*"]
        roles = ["approver"]

        [commands]
        root = "/soc"
        """
    )
    assert config.roles["approver"].users == ("U0ALICE",)
    assert config.roles["approver"].usergroups == ("S0SOC",)
    assert [rule.reason for rule in config.rules] == ["required", "optional"]
    assert config.rules[0].when.business_type == ("PLAYBOOKNODEAPPROVE",)
    assert not config.rules[1].when
    assert config.commands.root == "/soc"


def test_an_empty_file_leaves_nobody_any_right() -> None:
    assert parse("").fingerprint == Config().fingerprint
    assert parse("").rules == ()


def test_a_file_that_is_not_there_leaves_nobody_any_right(tmp_path: Path) -> None:
    assert load(tmp_path / "missing.toml") == Config()


def test_a_file_on_disk_is_read_and_named_in_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(ROLES + RULE, encoding="utf-8")
    assert len(load(path).rules) == 1
    path.write_text("colour = 'red'", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"policy\.toml: colour: "):
        load(path)


@pytest.mark.parametrize("content", ["# caf\u00e9".encode("latin-1"), "a = 1".encode("utf-16")])
def test_a_file_that_is_not_utf_8_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: is not UTF-8 text: save it as UTF-8"


def test_a_directory_and_a_named_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a directory: name the file in it"
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError) as caught:
        load(missing, required=True)
    assert str(caught.value) == f"{missing}: there is no such file"


def test_the_mark_that_an_editor_puts_before_the_text_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(ROLES + RULE, encoding="utf-8-sig")
    assert len(load(path).rules) == 1


# Keys that nobody honours.


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("rule = []", "rule"),
        ("[role.approver]\nusers = []", "[role]"),
        ("[roles.approver]\nuser = ['U0ALICE']", "[roles.approver] user"),
        ("[roles.approver]\ngroups = ['S0SOC']", "[roles.approver] groups"),
        (ROLES + RULE + "whne = { name = 'x' }", "[[rules]] 1: whne"),
        (ROLES + RULE + "when = { nmae = 'x' }", "[[rules]] 1: when.nmae"),
        (ROLES + RULE + "when = { status = 'x' }", "[[rules]] 1: when.status"),
        (ROLES + RULE + RULE + "reasons = 'none'", "[[rules]] 2: reasons"),
        (ROLES + RULE + "own = false", "[[rules]] 1: own"),
        (ROLES + RULE + "approval = 2", "[[rules]] 1: approval"),
        ("[commands]\nroots = '/x'", "[commands] roots"),
        ("[identity]\nemail_domain = 'example.com'", "[identity]"),
        ("[identities]\ndomain = 'example.com'", "[identities] domain"),
        ("[break_glass]\nchannels = ['C0']", "[break_glass] channels"),
        ("[rights]\naudits = []", "[rights] audits"),
        ("[delegation]\nmax = '1h'", "[delegation] max"),
        ("[attribution]\ncomments = 'never'", "[attribution] comments"),
        ("[watch]\neach = 5", "[watch] each"),
        ("[brake]\nretries = 3\nwithin = '1h'\nper = 'workflow'", "[brake] per"),
        ("routes = [{channel = 'C0SOC', tasks = true, go_on = true}]", "[[routes]] 1: go_on"),
        (ROUTE + "task = true", "[[routes]] 1: task"),
        (ROUTE + "when = { status = 'waiting' }", "[[routes]] 1: when.status"),
        (ROUTE + "when = { overdue = true }", "[[routes]] 1: when.overdue"),
        (
            ROUTE + "quiet = { from = '22:00', until = '07:00', tz = 'UTC' }",
            "[[routes]] 1: quiet.tz",
        ),
        (ROUTE + "escalate = { after = '1h', to = 'x', at = 3 }", "[[routes]] 1: escalate.at"),
        (DIGEST + "zones = 'UTC'", "[[digests]] 1: zones"),
        (ROLES + RULE + "when = { workflow = 'x' }", "[[rules]] 1: when.workflow"),
    ],
)
def test_a_mistyped_key_is_refused_by_its_place(text: str, key: str) -> None:
    (line,) = problems(text)
    assert line.startswith(f"secmaster-bot.toml: {key}: ")


# Values that mean nothing.


@pytest.mark.parametrize("key", ["name", "related_object"])
@pytest.mark.parametrize("pattern", ["(", "[a", "*x", "a{2,1}", "(?P<n"])
def test_a_pattern_that_cannot_be_read_is_refused(key: str, pattern: str) -> None:
    (line,) = problems(ROLES + RULE + f"when = {{ {key} = '{pattern}' }}")
    assert f"[[rules]] 1: when.{key}: " in line
    assert "is not a pattern" in line


@pytest.mark.parametrize(
    "action", ["task.aprove", "approve", "task", "tasks.*", "task.", "", "**", "TASK.APPROVE"]
)
def test_an_unknown_action_is_refused_and_the_known_ones_listed(action: str) -> None:
    line = problems(ROLES + f"[[rules]]\nactions = ['{action}']\nroles = ['approver']")[0]
    assert line.startswith("secmaster-bot.toml: [[rules]] 1: actions, entry 1: ")
    assert f"'{action}' is no action" in line
    assert "task.approve" in line


def test_an_unknown_action_is_one_problem_in_plain_words() -> None:
    (line,) = problems(ROLES + "[[rules]]\nactions = ['task.aprove']\nroles = ['approver']")
    assert line.startswith(
        "secmaster-bot.toml: [[rules]] 1: actions, entry 1: 'task.aprove' is no action"
    )


def test_a_rule_for_a_role_that_is_not_defined_is_refused() -> None:
    (line,) = problems(ROLES + RULE + "[[rules]]\nactions = ['*']\nroles = ['aprover']")
    assert line == (
        "secmaster-bot.toml: [[rules]] 2: roles: 'aprover' is not defined under [roles]; "
        "did you mean approver?"
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[[rules]]\nroles = ['approver']", "[[rules]] 1: actions"),
        ("[[rules]]\nactions = ['*']", "[[rules]] 1: roles"),
        ("[[rules]]\nactions = []\nroles = ['approver']", "[[rules]] 1: actions"),
        ("[[rules]]\nactions = ['*']\nroles = []", "[[rules]] 1: roles"),
        ("[[rules]]\nactions = '*'\nroles = ['approver']", "[[rules]] 1: actions"),
        (RULE + "reason = 'maybe'", "[[rules]] 1: reason"),
        (RULE + "reason = true", "[[rules]] 1: reason"),
        (RULE + "when = 'always'", "[[rules]] 1: when"),
        ("[roles.other]\nusers = 'U0ALICE'", "[roles.other] users"),
        ("[roles.other]\nusers = [1]", "[roles.other] users, entry 1"),
    ],
)
def test_a_rule_or_role_that_is_not_whole_is_refused_by_its_place(text: str, key: str) -> None:
    (line,) = problems(ROLES + text)
    assert line.startswith(f"secmaster-bot.toml: {key}: ")


def test_an_empty_list_of_business_types_is_not_read_as_all_of_them() -> None:
    (line,) = problems(ROLES + RULE + "when = { business_type = [] }")
    assert "[[rules]] 1: when.business_type" in line


# The terms of a rule.


def test_every_term_of_a_rule_is_read_as_written() -> None:
    (rule,) = parse(
        ROLES
        + NEEDS
        + """
        [[rules]]
        name = "two of us"
        actions = ["task.approve", "task.terminate"]
        roles = ["approver"]
        when = { workspace = ["main"], overdue = false }
        approvals = 2
        expires = "30m"
        self = false
        confirm = "type-name"
        break_glass = ["approver"]
        """
    ).rules
    assert (rule.name, rule.approvals, rule.creator_allowed, rule.confirm) == (
        *("two of us", 2, False, "type-name"),
    )
    assert rule.expires == timedelta(minutes=30)
    assert rule.break_glass == ("approver",)
    assert rule.when.workspace == ("main",)
    assert rule.when.overdue is False


@pytest.mark.parametrize(
    ("lines", "place", "sentence"),
    [
        ("reason = 'optional'", "[[rules]] 1", "reason: a rule that denies has no terms"),
        (
            "approvals = 2\nexpires = '1h'\nbreak_glass = ['approver']",
            "[[rules]] 1",
            "approvals, expires, break_glass: a rule that denies has no terms",
        ),
        (
            "self = false\nconfirm = 'type-name'",
            "[[rules]] 1",
            "self, confirm: a rule that denies h",
        ),
        ("roles = []", "[[rules]] 1", "roles: leave it out to deny something to everybody"),
    ],
)
def test_a_rule_that_denies_has_no_terms(lines: str, place: str, sentence: str) -> None:
    deny = "[[rules]]\neffect = 'deny'\nactions = ['task.approve']\n"
    assert parse(ROLES + deny + "roles = ['approver']").rules[0].roles == ("approver",)
    assert parse(ROLES + deny).rules[0].roles == ()
    (line,) = problems(ROLES + NEEDS + deny + lines)
    assert line.startswith(f"secmaster-bot.toml: {place}: {sentence}")


@pytest.mark.parametrize("effect", ["denied", "", True])
def test_an_effect_is_allow_or_deny(effect: object) -> None:
    text = f"[[rules]]\neffect = {str(effect).lower() if effect is True else repr(effect)}\n"
    lines = problems(ROLES + text + "actions = ['*']\nroles = ['approver']")
    assert lines[0].startswith("secmaster-bot.toml: [[rules]] 1: effect: ")


def test_two_people_whose_names_are_folded_to_one_are_refused() -> None:
    (line,) = problems("[identities]\nusers = { U0ALICE = 'José', U0BOB = 'ＪＯＳＥ' }")
    assert "several people are jose" in line


def test_a_rule_that_says_no_more_asks_for_one_person_and_nothing_else() -> None:
    (rule,) = parse(ROLES + RULE).rules
    assert (rule.approvals, rule.creator_allowed, rule.confirm, rule.break_glass) == (
        1,
        True,
        "",
        (),
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("approvals = 0", "[[rules]] 1: approvals"),
        ("approvals = 10", "[[rules]] 1: approvals"),
        ("approvals = true", "[[rules]] 1: approvals"),
        ("approvals = '2'", "[[rules]] 1: approvals"),
        ("approvals = 2.0", "[[rules]] 1: approvals"),
        ("self = 'no'", "[[rules]] 1: self"),
        ("self = 0", "[[rules]] 1: self"),
        ("confirm = 'name'", "[[rules]] 1: confirm"),
        ("confirm = true", "[[rules]] 1: confirm"),
        ("approvals = 2\nbreak_glass = true", "[[rules]] 1: break_glass"),
        ("approvals = 2\nbreak_glass = []", "[[rules]] 1: break_glass"),
        ("name = 'a (b)'", "[[rules]] 1: name"),
        (f"name = '{'x' * 41}'", "[[rules]] 1: name"),
        ("when = { workspace = 'main' }", "[[rules]] 1: when.workspace"),
        ("when = { workspace = [] }", "[[rules]] 1: when.workspace"),
        ("when = { overdue = 'yes' }", "[[rules]] 1: when.overdue"),
    ],
)
def test_a_term_that_cannot_be_meant_is_refused_by_its_place(text: str, key: str) -> None:
    (line,) = problems(ROLES + NEEDS + RULE + text)
    assert line.startswith(f"secmaster-bot.toml: {key}: ")


@pytest.mark.parametrize(
    ("actions", "line", "sentence"),
    [
        ("'task.read', 'task.*'", "", "task.read can't share a rule with task.*"),
        ("'instance.read', 'instance.retry'", "", "instance.read can't share a rule with"),
        ("'task.read'", "reason = 'required'", "reason: nothing is asked of whoever only reads"),
        ("'task.read'", "self = true", "self: nothing is asked of whoever only reads"),
        ("'task.read'", "approvals = 2", "approvals: nothing is asked"),
        ("'task.read'", "confirm = 'type-name'", "confirm: nothing is asked"),
        ("'task.read'", "break_glass = ['approver']", "break_glass: nothing is asked"),
        ("'task.read'", "expires = '2h'", "expires: nothing is asked"),
        ("'instance.read'", "when.overdue = false", "overdue is not said of an instance"),
        ("'playbook.read'", "when.overdue = true", "overdue is not said of a playbook instance"),
        (
            "'task.read', 'instance.read'",
            "when.business_type = ['PLAYBOOKPUBLISH']",
            "business_type is not said of an instance",
        ),
    ],
)
def test_what_a_rule_about_reading_cannot_ask_for_is_refused(
    actions: str, line: str, sentence: str
) -> None:
    rule = f"[[rules]]\nactions = [{actions}]\nroles = ['approver']\n{line}\n"
    [problem] = problems(ROLES + rule)
    assert problem.startswith("secmaster-bot.toml: [[rules]] 1: ")
    assert sentence in problem


def test_a_rule_about_reading_may_ask_for_all_that_a_list_says() -> None:
    when = "when = { name = 'a', related_object = 'b', workspace = ['main'] }"
    kinds = "'task.read', 'instance.read', 'playbook.read'"
    both = f"[[rules]]\nactions = [{kinds}]\nroles = ['approver']\n{when}\n"
    tasks = "[[rules]]\nactions = ['task.read']\nroles = ['approver']\nwhen.overdue = true\n"
    assert parse(ROLES + both + tasks).unreadable_kinds == ()


def test_a_file_without_rules_about_reading_says_which_kinds_nobody_reads() -> None:
    assert parse(ROLES + RULE).unreadable_kinds == ("task", "instance", "playbook")
    one = RULE.replace("task.approve", "instance.read")
    assert parse(ROLES + one).unreadable_kinds == ("task", "playbook")


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("4h", timedelta(hours=4)),
        ("2 d", timedelta(days=2)),
        ("30d", timedelta(days=30)),
    ],
)
def test_a_length_of_time_is_a_number_with_its_unit(text: str, duration: timedelta) -> None:
    assert parse(f"[delegation]\nlongest = '{text}'").delegation.longest == duration


@pytest.mark.parametrize("text", ["'31d'", "'9999999h'", "'721h'"])
def test_a_length_of_time_beyond_thirty_days_is_refused(text: str) -> None:
    (line,) = problems(f"[delegation]\nlongest = {text}")
    assert line == f"secmaster-bot.toml: [delegation] longest: {text} is longer than 30 days"


@pytest.mark.parametrize(
    "written",
    ["'0h'", "'-1h'", "'1'", "'h'", "'1.5h'", "'1h30m'", "'1w'", "'١h'", "''", "60", "true"],
)
def test_what_is_no_length_of_time_is_refused_and_one_is_described(written: str) -> None:
    for text, key in (
        (f"[delegation]\nlongest = {written}", "[delegation] longest"),
        (ROLES + RULE + f"approvals = 2\nexpires = {written}", "[[rules]] 1: expires"),
    ):
        (line,) = problems(text)
        assert line.startswith(f"secmaster-bot.toml: {key}: ")
        assert line.endswith("is not a duration (use 30m, 1h)")


@pytest.mark.parametrize("actions", ["'*'", "'task.*'", "'task.approve', 'task.comment'"])
def test_several_people_cannot_share_what_can_be_done_twice(actions: str) -> None:
    (line,) = problems(
        ROLES + f"[[rules]]\nactions = [{actions}]\nroles = ['approver']\napprovals = 2"
    )
    assert line.startswith(
        "secmaster-bot.toml: [[rules]] 1: approvals: several people can't share "
    )
    assert "task.comment" in line
    assert "task.approve" not in line
    assert line.endswith("; give it its own rule")


@pytest.mark.parametrize("action", ["task.approve", "task.terminate", "instance.retry"])
def test_several_people_may_share_what_is_done_once(action: str) -> None:
    text = f"[[rules]]\nactions = ['{action}']\nroles = ['approver']\napprovals = 9"
    assert parse(ROLES + text).rules[0].approvals == 9


@pytest.mark.parametrize("actions", ["'*'", "'instance.*'", "'task.approve', 'instance.retry'"])
def test_a_rule_cannot_refuse_the_creator_of_what_has_none(actions: str) -> None:
    (line,) = problems(
        ROLES + NEEDS + f"[[rules]]\nactions = [{actions}]\nroles = ['approver']\nself = false"
    )
    assert line.startswith("secmaster-bot.toml: [[rules]] 1: self: SecMaster names no creator for ")
    assert "instance.retry" in line
    assert "task.approve" not in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "break_glass = ['approver']",
            "[[rules]] 1: break_glass: there is no second approver to pass; add approvals",
        ),
        (
            "call = 'direct'",
            "[[rules]] 1: call: there is no next approver to call; add approvals",
        ),
        (
            "expires = '1h'",
            "[[rules]] 1: expires: one approval does not wait for another; add approvals",
        ),
    ],
)
def test_a_term_about_several_people_is_refused_where_one_is_enough(text: str, line: str) -> None:
    assert problems(ROLES + NEEDS + RULE + text) == [f"secmaster-bot.toml: {line}"]


def test_a_retry_may_say_how_the_second_person_is_called_whom_the_brake_asks_for() -> None:
    rule = "[[rules]]\nactions = ['instance.retry']\nroles = ['approver']\ncall = 'direct'\n"
    [read] = parse(ROLES + rule).rules
    assert (read.call, Rule(actions=["task.*"], roles=["a"]).call) == ("direct", "mention")


def test_refusing_the_creator_needs_to_know_who_is_who() -> None:
    assert problems(ROLES + RULE + "self = false") == [
        "secmaster-bot.toml: self = false needs [identities], to know who is who in SecMaster"
    ]
    text = ROLES + RULE + "self = false\n[identities]\n"
    assert not parse(text + "users = { U0ALICE = 'alice' }").rules[0].creator_allowed
    assert not parse(text + "email_domain = 'example.com'").rules[0].creator_allowed


def test_breaking_the_glass_needs_a_channel_that_is_told() -> None:
    text = ROLES + RULE + "approvals = 2\nbreak_glass = ['approver']\n"
    assert problems(text) == [
        "secmaster-bot.toml: break_glass needs a channel to be told: [break_glass] channel"
    ]
    assert parse(text + "[break_glass]\nchannel = 'C0GLASS'").break_glass.channel == "C0GLASS"


def test_all_that_the_rules_need_is_asked_for_at_once() -> None:
    (line,) = problems(ROLES + RULE + "self = false\napprovals = 2\nbreak_glass = ['approver']")
    assert "[identities]" in line
    assert "[break_glass] channel" in line


# Who is who, and who may use the rest.


def test_whoever_is_who_in_secmaster_is_read_as_written() -> None:
    config = parse(
        "[identities]\nusers = { U0ALICE = 'A.Liddell' }\nemail_domain = 'a.example.com'"
    )
    assert config.identities.users == {"U0ALICE": "A.Liddell"}
    assert config.identities.email_domain == "a.example.com"
    assert not parse("[identities]").identities


@pytest.mark.parametrize("second", ["alice", "ALICE"])
def test_two_people_cannot_be_the_same_in_secmaster(second: str) -> None:
    (line,) = problems(f"[identities.users]\nU0ALICE = 'alice'\nU0BOB = '{second}'\nU0EVE = 'eve'")
    assert line == "secmaster-bot.toml: [identities]: several people are alice; each is one person"


@pytest.mark.parametrize("name", ["''", "' '", "'alice '", '"ali\\u200bce"', '"\\u00a0alice"'])
def test_a_name_with_what_no_eye_sees_is_refused(name: str) -> None:
    (line,) = problems(f"[identities.users]\nU0ALICE = {name}")
    assert line.startswith("secmaster-bot.toml: [identities] users.U0ALICE: ")
    assert "is no name" in line


@pytest.mark.parametrize(
    "domain",
    ["", "example", "Example.com", "@example.com", "a@example.com", "example.com.", "*.com"],
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    (line,) = problems(f"[identities]\nemail_domain = '{domain}'")
    assert line.startswith("secmaster-bot.toml: [identities] email_domain: ")
    assert "is no domain in small letters" in line


def test_the_workspaces_of_the_organisation_are_named_by_their_ids() -> None:
    assert parse("").organisation.workspaces == ()
    organisation = parse("[organisation]\nworkspaces = ['T0SOC', 'T0IT']").organisation
    assert organisation.workspaces == ("T0SOC", "T0IT")


@pytest.mark.parametrize(
    ("workspaces", "problem"),
    [
        ("['E0GRID']", "is no Slack workspace's id, such as T0123ABCD"),
        ("['t0soc']", "is no Slack workspace's id"),
        ("['T0SOC', 'T0SOC']", "something is given twice"),
        ("[]", "an empty list covers nothing"),
        ("['main']", "is no Slack workspace's id"),
    ],
)
def test_what_is_no_list_of_workspaces_is_refused(workspaces: str, problem: str) -> None:
    (line,) = problems(f"[organisation]\nworkspaces = {workspaces}")
    assert line.startswith("secmaster-bot.toml: [organisation] workspaces")
    assert problem in line


def test_the_roles_about_an_action_are_those_of_every_rule_that_may_decide() -> None:
    config = parse(
        """
        [roles]
        approver = { users = ["U0ALICE"] }
        chief = { users = ["U0BOB"] }
        trainee = { users = ["U0CAROL"] }
        reader = { users = ["U0DAVE"] }
        oncall = { users = ["U0ERIN"] }
        [break_glass]
        channel = "C0SOC"
        [[rules]]
        actions = ["task.approve"]
        roles = ["approver"]
        approvals = 2
        break_glass = ["chief"]
        [[rules]]
        effect = "deny"
        actions = ["task.approve"]
        roles = ["trainee"]
        [[rules]]
        actions = ["task.read"]
        roles = ["reader"]
        [[rules]]
        actions = ["instance.*"]
        roles = ["oncall"]
        """
    )
    approve, retry = BY_NAME["task.approve"], BY_NAME["instance.retry"]
    assert config.roles_about(approve).keys() == {"approver", "chief", "trainee"}
    assert config.roles_about(*READS).keys() == {"reader"}
    assert config.roles_about(retry, *READS).keys() == {"oncall", "reader"}


@pytest.mark.parametrize("right", Rights.model_fields)
def test_a_right_belongs_to_the_roles_that_are_named_and_else_to_nobody(right: str) -> None:
    assert getattr(parse("").rights, right) == ()
    config = parse(ROLES + f"[rights]\n{right} = ['approver']")
    assert getattr(config.rights, right) == ("approver",)
    (line,) = problems(ROLES + f"[rights]\n{right} = ['aprover', 'approver']")
    assert line == (
        f"secmaster-bot.toml: [rights] {right}: 'aprover' is not defined under [roles]; "
        "did you mean approver?"
    )


def test_a_role_that_may_break_the_glass_must_be_defined() -> None:
    (line,) = problems(ROLES + NEEDS + RULE + "approvals = 2\nbreak_glass = ['chief']")
    assert line == (
        "secmaster-bot.toml: [[rules]] 1: break_glass: 'chief' is not defined under [roles]; "
        "there is only approver"
    )


@pytest.mark.parametrize("text", ["rights = 3", "[rights]\naudit = 'approver'", "rights = [1]"])
def test_rights_that_are_not_lists_of_roles_are_refused(text: str) -> None:
    assert all("rights" in line for line in problems(text))


@pytest.mark.parametrize("comment", ["always", "reason", "never"])
def test_decisions_leave_a_comment_as_said(comment: str) -> None:
    assert parse(f"[attribution]\ncomment = '{comment}'").attribution.comment == comment


def test_another_kind_of_attribution_is_refused() -> None:
    (line,) = problems("[attribution]\ncomment = 'sometimes'")
    assert line.startswith("secmaster-bot.toml: [attribution] comment: ")


def test_the_standing_terms_are_a_day_of_lending_and_a_comment_always() -> None:
    assert parse("").delegation.longest == timedelta(hours=24)
    assert parse("").attribution.comment == "always"


# Where cards are brought to.


def test_every_key_of_a_route_is_read_as_written() -> None:
    first, second = parse(
        """
        [[routes]]
        name = "isolations"
        channel = "C0SOC"
        tasks = true
        instances = ["FAILED"]
        when = { workflow = "Host", playbook = "Ransom", workspace = ["main"], name = "Isolate" }
        mention = ["S0ONCALL", "U0ALICE"]
        quiet = { from = "22:00", until = "07:30", zone = "Europe/Berlin" }
        remind = ["30m", "4h"]
        escalate = { after = "2h", to = "leads" }
        continue = true

        [[routes]]
        name = "leads"
        usergroup = "S0LEADS"
        tasks = true
        """
    ).routes
    assert (first.name, first.channel, first.usergroup) == ("isolations", "C0SOC", "")
    assert (first.tasks, first.instances) == (True, ("FAILED",))
    assert (first.when.workflow, first.when.playbook) == ("Host", "Ransom")
    assert (first.when.name, first.when.workspace) == ("Isolate", ("main",))
    assert first.mention == ("S0ONCALL", "U0ALICE")
    assert first.quiet == Quiet.model_validate(
        {"from": "22:00", "until": "07:30", "zone": "Europe/Berlin"}
    )
    assert first.remind == (timedelta(hours=4), timedelta(minutes=30))
    assert first.escalate == Escalation(after="2h", to="leads")
    assert first.continues
    assert (second.usergroup, second.instances, second.mention) == ("S0LEADS", (), ())
    assert (second.quiet, second.escalate, second.remind) == (None, None, ())
    assert not second.when
    assert not second.continues


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("channel = '#soc'", "[[routes]] 1: channel"),
        ("channel = 'D0ALICE'", "[[routes]] 1: channel"),
        ("channel = 'C0'", "[[routes]] 1: channel"),
        ("channel = ''", "[[routes]] 1: channel"),
        ("channel = 'C0SOC '", "[[routes]] 1: channel"),
        ("channel = 'c0soc'", "[[routes]] 1: channel"),
        ("user = 'S0SOC'", "[[routes]] 1: user"),
        ("user = 'alice'", "[[routes]] 1: user"),
        ("usergroup = 'U0ALICE'", "[[routes]] 1: usergroup"),
        ("usergroup = '@soc'", "[[routes]] 1: usergroup"),
        ("mention = ['C0SOC']", "[[routes]] 1: mention, entry 1"),
        ("mention = ['U0ALICE', '@here']", "[[routes]] 1: mention, entry 2"),
        ("mention = ['U0ALICE', 'U0ALICE']", "[[routes]] 1: mention"),
        ("tasks = 'yes'", "[[routes]] 1: tasks"),
        ("tasks = 1", "[[routes]] 1: tasks"),
        ("instances = ['waiting']", "[[routes]] 1: instances, entry 1"),
        ("instances = 'FAILED'", "[[routes]] 1: instances"),
        ("instances = ['FAILED', 'FAILED']", "[[routes]] 1: instances"),
        ("instances = ['TERMINATED']", "[[routes]] 1: instances"),
        ("continue = 'yes'", "[[routes]] 1: continue"),
        ("name = 'a (b)'", "[[routes]] 1: name"),
        ("when = { workflow = '(' }", "[[routes]] 1: when.workflow"),
        ("when = { playbook = '' }", "[[routes]] 1: when.playbook"),
        ("when = { business_type = ['x'] }", "[[routes]] 1: when.business_type, entry 1"),
        ("remind = ['soon']", "[[routes]] 1: remind, entry 1"),
        ("remind = ['1h', '60m']", "[[routes]] 1: remind"),
        ("escalate = { to = 'leads' }", "[[routes]] 1: escalate.after"),
        ("escalate = { after = '1h' }", "[[routes]] 1: escalate.to"),
        ("quiet = { from = '22:00' }", "[[routes]] 1: quiet.until"),
        ("quiet = { from = '24:00', until = '07:00' }", "[[routes]] 1: quiet.from"),
        ("quiet = { from = '22', until = '07:00' }", "[[routes]] 1: quiet.from"),
        ("quiet = { from = 22:00:00, until = '07:00' }", "[[routes]] 1: quiet.from"),
        ("quiet = { from = '7:00', until = '22:00' }", "[[routes]] 1: quiet.from"),
        ("quiet = { from = '22:00', until = '07:60' }", "[[routes]] 1: quiet.until"),
        ("quiet = { from = '22:00', until = '٠٧:00' }", "[[routes]] 1: quiet.until"),
        ("quiet = { from = '22:00', until = '22:00' }", "[[routes]] 1: quiet"),
    ],
)
def test_what_cannot_be_meant_by_a_route_is_refused_by_its_place(text: str, where: str) -> None:
    key = text.partition(" ")[0]
    rest = "".join(
        each for each in ("channel = 'C0SOC'\n", "tasks = true\n") if not each.startswith(key)
    )
    (line,) = problems(f"[[routes]]\n{rest}{text}")
    assert line.startswith(f"secmaster-bot.toml: {where}: ")


ZONES = ["CEST!", "", "Europe", "Europe/berlin/x", "../UTC", "/etc/passwd", "a" * 300, "a\\u0000"]


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    for text, key in (
        (
            f"{ROUTE}quiet = {{ from = '22:00', until = '07:00', zone = \"{zone}\" }}",
            "[[routes]] 1: quiet.zone",
        ),
        (f'{DIGEST}zone = "{zone}"', "[[digests]] 1: zone"),
    ):
        (line,) = problems(text)
        assert line.startswith(f"secmaster-bot.toml: {key}: ")
        assert line.endswith("is no time zone, such as Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tasks = true", "a route leads to one place: give channel, user or usergroup"),
        (
            "tasks = true\nchannel = 'C0SOC'\nuser = 'U0ALICE'",
            "a route leads to one place: give channel, user or usergroup",
        ),
        (
            "tasks = true\nuser = 'U0ALICE'\nusergroup = 'S0SOC'",
            "a route leads to one place: give channel, user or usergroup",
        ),
        (
            "channel = 'C0SOC'",
            "a route takes something: give tasks = true, instances, playbooks, or several",
        ),
        (
            "channel = 'C0SOC'\ntasks = false\ninstances = []",
            "a route takes something: give tasks = true, instances, playbooks, or several",
        ),
        (
            "channel = 'C0SOC'\ninstances = ['FAILED']\nremind = ['1h']",
            "remind: only tasks have a due date; add tasks = true",
        ),
        (
            "channel = 'C0SOC'\ninstances = ['FAILED']\nwhen.business_type = ['WORKFLOWPUBLISH']",
            "when: only tasks have a business_type; add tasks = true",
        ),
    ],
)
def test_a_route_that_would_do_nothing_is_refused(text: str, problem: str) -> None:
    assert problems(f"[[routes]]\n{text}") == [f"secmaster-bot.toml: [[routes]] 1: {problem}"]


def test_a_route_for_instances_alone_may_escalate() -> None:
    text = "[[routes]]\nchannel = 'C0RUNS'\ninstances = ['FAILED']\n"
    (first, _) = parse(
        text + "escalate = { after = '1h', to = 'leads' }\n" + ROUTE + "name = 'leads'"
    ).routes
    assert first.escalate
    assert first.escalate.after == timedelta(hours=1)


def routes_toml(*pairs: tuple[str, str]) -> str:
    """Routes of these names, each with the name of the one that it escalates to, if any."""
    return "".join(
        f"{ROUTE}name = '{name}'\n"
        + (f"escalate = {{ after = '1h', to = '{to}' }}\n" if to else "")
        for name, to in pairs
    )


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("a", ""), ("b", ""), ("a", "")], "2 routes are called 'a'; give each its own name"),
        ([("a", "b")], "route 1 (a) escalates to 'b', and no route is called that"),
        ([("", "b"), ("a", "")], "route 1 escalates to 'b', and no route is called that"),
        ([("a", ""), ("", ""), ("b", " ")], "route 3 (b) escalates to ' ', and no route is called"),
        ([("a", "a")], "escalations go in a circle: a → a"),
        ([("a", "b"), ("b", "a")], "escalations go in a circle: a → b → a"),
        (
            [("", "a"), ("a", "b"), ("b", "c"), ("c", "b")],
            "escalations go in a circle: b → c → b",
        ),
        (
            [("a", "a"), ("b", "c"), ("c", "b")],
            "escalations go in a circle: a → a; escalations go in a circle: b → c → b",
        ),
    ],
)
def test_routes_that_do_not_fit_together_are_refused(
    pairs: list[tuple[str, str]], problem: str
) -> None:
    (line,) = problems(routes_toml(*pairs))
    assert line.startswith(f"secmaster-bot.toml: [[routes]]: {problem}")
    assert line.count("circle") == problem.count("circle")


def test_no_route_escalates_to_the_one_without_a_name() -> None:
    (line,) = problems(ROUTE + ROUTE + "escalate = { after = '1h', to = '' }")
    assert line == (
        "secmaster-bot.toml: [[routes]]: route 2 escalates to '', and no route is called that"
    )


def test_routes_may_escalate_to_one_another_in_a_row_and_several_to_one() -> None:
    some = parse(
        routes_toml(("a", "c"), ("b", "c"), ("c", "d"), ("d", ""), ("", "a"), ("", ""))
    ).routes
    assert [route.escalate and route.escalate.to for route in some] == (
        ["c", "c", "d", None, "a", None]
    )


@pytest.mark.parametrize("text", [ROUTE, DIGEST, ROUTE + DIGEST])
def test_routes_and_digests_need_a_watch(text: str) -> None:
    assert problems(text + "[watch]\nevery = 0") == [
        "secmaster-bot.toml: routes and digests need [watch] every above 0: else nothing watches"
    ]
    assert parse(text + "[watch]\nevery = 1").watch.every == 1


def test_a_digest_is_read_as_written() -> None:
    (digest,) = parse(
        "[[digests]]\nchannel = 'G0SOC'\nat = ['20:30', '08:05']\nzone = 'Asia/Shanghai'"
    ).digests
    assert (digest.channel, digest.zone) == ("G0SOC", "Asia/Shanghai")
    assert [f"{each:%H:%M}" for each in digest.at] == ["20:30", "08:05"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("at = ['08:30']", "[[digests]] 1: channel"),
        ("channel = 'C0SOC'", "[[digests]] 1: at"),
        ("channel = 'C0SOC'\nat = []", "[[digests]] 1: at"),
        ("channel = 'C0SOC'\nat = '08:30'", "[[digests]] 1: at"),
        ("channel = 'C0SOC'\nat = ['08:30', '08:30']", "[[digests]] 1: at"),
        ("channel = 'C0SOC'\nat = ['08:30', 'noon']", "[[digests]] 1: at, entry 2"),
        ("channel = 'C0SOC'\nat = ['noon']", "[[digests]] 1: at, entry 1"),
        ("channel = 'U0ALICE'\nat = ['08:30']", "[[digests]] 1: channel"),
    ],
)
def test_a_digest_that_is_not_whole_is_refused_by_its_place(text: str, key: str) -> None:
    (line,) = problems(f"[[digests]]\n{text}")
    assert line.startswith(f"secmaster-bot.toml: {key}: ")


def test_a_brake_stands_only_where_it_is_set() -> None:
    assert parse("").brake is None
    assert parse("[brake]\nretries = 3\nwithin = '1h'").brake == Brake(retries=3, within="1h")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("retries = 0\nwithin = '1h'", "[brake] retries"),
        ("retries = 101\nwithin = '1h'", "[brake] retries"),
        ("retries = true\nwithin = '1h'", "[brake] retries"),
        ("retries = '3'\nwithin = '1h'", "[brake] retries"),
        ("retries = 3.0\nwithin = '1h'", "[brake] retries"),
        ("retries = 3", "[brake] within"),
        ("within = '1h'", "[brake] retries"),
        ("retries = 3\nwithin = 60", "[brake] within"),
    ],
)
def test_a_brake_that_is_not_whole_is_refused_by_its_place(text: str, key: str) -> None:
    (line,) = problems(f"[brake]\n{text}")
    assert line.startswith(f"secmaster-bot.toml: {key}: ")


def test_the_standing_terms_of_the_watch_are_these() -> None:
    watch = parse("").watch
    assert (watch.fresh, watch.gather) == (timedelta(hours=1), timedelta(hours=1))
    assert (watch.fallback, watch.admins, watch.oncall) == ("", (), ())
    assert watch.shift == timedelta(hours=12)


def test_the_terms_of_the_watch_are_read_as_written() -> None:
    watch = parse(
        "[watch]\nfresh = '2d'\ngather = '5m'\nfallback = 'C0LOST'\nadmins = ['U0ALICE']\n"
        "oncall = ['S0ONCALL']\nshift = '8h'"
    ).watch
    assert (watch.fresh, watch.gather) == (timedelta(days=2), timedelta(minutes=5))
    assert (watch.fallback, watch.admins, watch.oncall) == ("C0LOST", ("U0ALICE",), ("S0ONCALL",))
    assert watch.shift == timedelta(hours=8)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("fresh = '0h'", "[watch] fresh"),
        ("gather = 60", "[watch] gather"),
        ("shift = 'night'", "[watch] shift"),
        ("fallback = 'U0ALICE'", "[watch] fallback"),
        ("admins = ['S0SOC']", "[watch] admins, entry 1"),
        ("admins = 'U0ALICE'", "[watch] admins"),
        ("oncall = ['S0SOC', 'U0ALICE']", "[watch] oncall, entry 2"),
    ],
)
def test_what_cannot_be_meant_by_the_watch_is_refused_by_its_place(text: str, key: str) -> None:
    (line,) = problems(f"[watch]\n{text}")
    assert line.startswith(f"secmaster-bot.toml: {key}: ")


# Another policy while the bot runs.


def test_the_digest_is_another_for_another_policy_and_the_same_for_the_same() -> None:
    once = parse(ROLES + NEEDS + RULE).fingerprint
    assert parse("# a comment\n" + ROLES + NEEDS + RULE).fingerprint == once
    others = ("self = false", "confirm = 'type-name'", "approvals = 2", "name = 'x'")
    assert len({once, *(parse(ROLES + NEEDS + RULE + each).fingerprint for each in others)}) == 5
    routed = ("", "name = 'x'", "continue = true", "mention = ['U0ALICE']", DIGEST)
    assert (
        len({once, *(parse(ROLES + NEEDS + RULE + ROUTE + each).fingerprint for each in routed)})
        == 6
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(ROLES + RULE)
    return path


def test_a_policy_that_is_read_again_is_in_force_once_it_is_put_in_force(path: Path) -> None:
    first = load(path)
    holder = PolicyHolder(first, path)
    path.write_text(ROLES + RULE + RULE)
    second = holder.read()
    assert holder.current is first
    holder.put_in_force(second, 2)
    assert len(holder.current.rules) == 2
    assert holder.current.text == ROLES + RULE + RULE
    assert holder.number == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour = 'red'", "policy.toml: colour: "),
        ("[[rules]", "policy.toml: not TOML: "),
        (ROLES + RULE + "roles = ['one']", "policy.toml: not TOML: "),
        (RULE, "policy.toml: [[rules]] 1: roles: 'approver' is not defined under [roles]"),
    ],
)
def test_a_policy_that_cannot_be_used_leaves_the_one_before_in_force(
    path: Path, text: str, problem: str
) -> None:
    first = load(path)
    holder = PolicyHolder(first, path)
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        holder.read()
    assert problem in str(caught.value)
    assert holder.current is first


def test_a_policy_that_is_gone_leaves_the_one_before_in_force(path: Path) -> None:
    first = load(path)
    holder = PolicyHolder(first, path)
    path.unlink()
    with pytest.raises(ConfigError, match=r"policy\.toml: there is no such file"):
        holder.read()
    assert holder.current is first


# All at once.


def test_several_problems_are_listed_together() -> None:
    lines = problems(
        "[roles.approver]\nuser = ['U0ALICE']\n"
        "[[rules]]\nactions = ['task.aprove']\nroles = ['approver']\napprovals = 0\n"
        "when = { name = '(' }\n"
        "[[routes]]\nchannel = 'C0SOC'\n"
    )
    for part in ("user", "task.aprove", "approvals", "'('", "routes"):
        assert any(part in line for line in lines), part
    assert all(line.startswith("secmaster-bot.toml: ") for line in lines)


def test_every_rule_with_an_undefined_role_is_listed() -> None:
    lines = problems(
        "[[rules]]\nactions = ['*']\nroles = ['one']\n[[rules]]\nactions = ['*']\nroles = ['two']"
    )
    assert any("'one'" in line for line in lines)
    assert any("'two'" in line for line in lines)


def test_an_undefined_role_is_listed_beside_other_problems() -> None:
    lines = problems("[[rules]]\nactions = ['*']\nroles = ['one']\napprovals = 0")
    assert any("approvals" in line for line in lines)
    assert any("'one'" in line for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        *("roles =", "[[rules]", "a = 1\na = 2", "{}", "\0", "= 3", "a = " + "9" * 5000),
        *("roles = " + "[" * 20_000, "roles = " + "{a=" * 20_000, "rules = " + "[{a=" * 20_000),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_not_toml_is_refused_in_one_line(text: str) -> None:
    (line,) = problems(text)
    assert line.startswith("secmaster-bot.toml: not TOML: ")


@examples(150)
@example("roles = 3")
@example("rules = [3]")
@example("rights = 3")
@example("rules = [{roles = 3, break_glass = 3}]")
@example("[identities]\nusers = 3")
@example("[roles]\nself = 3")
@example("routes = 3")
@example("routes = [3]")
@example("digests = [{at = 3, zone = 3}]")
@example("[[routes]]\nquiet = 3\nescalate = []\nremind = 3\nmention = {}")
@example("[rules]\n1 = 3")
@given(st.text())
def test_whatever_stands_in_the_file_it_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Config)
    except ConfigError as wrong:
        assert str(wrong).startswith("secmaster-bot.toml: ")  # noqa: PT017 - either is right


# The example.


def test_the_example_asks_for_nothing_that_has_to_be_set_up_first() -> None:
    config = parse(EXAMPLE)
    assert all(rule.approvals == 1 and rule.creator_allowed for rule in config.rules)
    assert config.rights == Rights()
    assert not config.identities
    assert (config.routes, config.digests, config.brake) == ((), (), None)
    assert config.watch == WatchConfig()


def test_whatever_is_commented_out_in_the_example_may_be_taken_as_it_stands() -> None:
    config = parse(re.sub(r"(?m)^# (?=\[+\w+\]+$|\w+ = )", "", EXAMPLE))
    first = config.rules[0]
    assert (first.approvals, first.creator_allowed, first.confirm) == (2, False, "type-name")
    assert first.break_glass == ("oncall",)
    assert config.break_glass.channel
    assert config.identities.users
    assert all(config.rights.model_dump().values())
    assert config.brake
    assert config.digests
    assert [route.escalate is not None for route in config.routes] == [True, False]
    assert (config.watch.fallback, config.watch.admins, config.watch.oncall) != ("", (), ())


@pytest.mark.parametrize("section", Config.model_fields)
def test_the_example_shows_every_section(section: str) -> None:
    assert re.search(rf"(?m)^(# )?\[+{section}\b", EXAMPLE)


@pytest.mark.parametrize(
    "key",
    [
        field.alias or name
        for each in (
            Rule,
            RuleConditions,
            Rights,
            WatchConfig,
            Route,
            RouteConditions,
            Quiet,
            Escalation,
            DigestSchedule,
            Brake,
        )
        for name, field in each.model_fields.items()
    ],
)
def test_the_example_shows_every_key(key: str) -> None:
    assert re.search(rf"\b{key} =", EXAMPLE)


# The names of the commands.


def test_the_commands_have_their_names_by_default() -> None:
    commands = Config().commands
    assert commands.names == ("/secmaster", "/task", "/instance")
    assert [commands.prefix(name) for name in commands.names] == ["", "task", "instance"]


def test_the_commands_may_be_renamed() -> None:
    commands = parse("[commands]\nroot = '/sm'\ntask = '/sm-task'\ninstance = '/sm_run2'").commands
    assert commands.names == ("/sm", "/sm-task", "/sm_run2")
    assert [commands.prefix(name) for name in commands.names] == ["", "task", "instance"]


def test_any_of_the_commands_may_be_left_out() -> None:
    commands = parse("[commands]\ntask = ''\ninstance = ''").commands
    assert commands.names == ("/secmaster",)
    assert commands.prefix("/secmaster") == ""
    assert parse("[commands]\nroot = ''\ntask = ''\ninstance = ''").commands.names == ()


@pytest.mark.parametrize(
    "name", ["secmaster", "/", "/Sec", "/a b", "/ä", f"/{'a' * 32}", "//", " "]
)
def test_what_slack_would_not_take_as_a_command_is_refused(name: str) -> None:
    (line,) = problems(f"[commands]\nroot = '{name}'")
    assert line.startswith("secmaster-bot.toml: [commands] root: ")
    assert "is no slash command" in line


@pytest.mark.parametrize(
    "text",
    ["task = '/x'\ninstance = '/x'", "task = '/secmaster'", "root = '/instance'"],
)
def test_two_commands_of_one_name_are_refused(text: str) -> None:
    assert any("commands" in line for line in problems(f"[commands]\n{text}"))


@pytest.mark.parametrize(("text", "every"), [("", 15), ("[watch]\nevery = 0", 0)])
def test_cards_follow_every_15_seconds_or_as_said(text: str, every: float) -> None:
    assert parse(text).watch.every == every


@pytest.mark.parametrize("every", ["-1", "3601", "nan", "'often'", "true"])
def test_an_odd_pause_between_rounds_is_refused(every: str) -> None:
    with pytest.raises(ConfigError, match=r"\[watch\] every"):
        parse(f"[watch]\nevery = {every}")


# Stages of approvals.

STAGED = (
    "[roles.approver]\nusers = ['U0ALICE']\n[roles.manager]\nusers = ['U0BOB']\n"
    "[[rules]]\nname = 'grave'\nactions = ['task.approve']\nroles = ['approver', 'manager']\n"
    "approvals = "
)
FIRST, SECOND = "{ role = 'approver', count = 1 }", "{ role = 'manager', count = 1 }"


def test_approvals_are_a_number_or_stages_in_their_order() -> None:
    staged = parse(f"{STAGED}[{SECOND}, {FIRST}]").rules[0]
    assert staged.stages == (Stage(roles=("manager",)), Stage(roles=("approver",)))
    assert staged.needed == 2
    number = parse(f"{STAGED}3").rules[0]
    assert number.stages == one_stage(3, ("approver", "manager"))


@pytest.mark.parametrize(
    ("approvals", "problem"),
    [
        ("[]", "approvals: an empty list asks for nobody; leave it out, or name a stage"),
        (f"[{FIRST}, {FIRST}]", "approvals: 'approver' has two stages; a role has one, with"),
        (f"[{FIRST}, {{ role = 'manager', count = 9 }}]", "approvals: the stages ask for 10 peo"),
        ("[{ role = 'approver', count = 0 }]", "approvals, entry 1.count: "),
        ("[{ role = 'approver', count = true }]", "approvals, entry 1.count: "),
        ("[{ role = 'approver' }]", "approvals, entry 1.count: "),
        (
            "[{ rule = 'approver', count = 1 }]",
            "approvals, entry 1.rule: there is no such key; did",
        ),
        ("[{ role = 'manger', count = 1 }]", "approvals: 'manger' is none of the rule's roles; di"),
        ("[1]", "approvals, entry 1: "),
    ],
)
def test_stages_that_nobody_could_mean_are_refused(approvals: str, problem: str) -> None:
    assert f"[[rules]] 1 (grave): {problem}" in "\n".join(problems(STAGED + approvals))
