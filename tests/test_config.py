"""The policy file: everything in it is honoured, or the file is refused with the reason."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.config import Config, ConfigError, load, parse

ROLES = "[roles.approver]\nusers = ['U0ALICE']\n"
RULE = "[[rules]]\nactions = ['task.approve']\nroles = ['approver']\n"


def problems(text):
    """The lines a person gets for a file that is wrong."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value).splitlines()


def test_a_whole_file_is_read_as_written():
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


def test_an_empty_file_leaves_nobody_any_right():
    assert parse("") == Config()
    assert parse("").rules == ()


def test_a_file_that_is_not_there_leaves_nobody_any_right(tmp_path):
    assert load(tmp_path / "missing.toml") == Config()


def test_a_file_on_disk_is_read_and_named_in_its_problems(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(ROLES + RULE, encoding="utf-8")
    assert len(load(path).rules) == 1
    path.write_text("colour = 'red'", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"policy\.toml: colour: "):
        load(path)


def test_a_file_that_is_not_utf_8_is_refused_by_name(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"policy\.toml"):
        load(path)


# Keys that nobody honours.


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            ROLES + RULE + "approvals = 2",
            "rules.1.approvals: more than one approval is not supported yet",
        ),
        (ROLES + RULE + "self = false", "rules.1.self: refusing the creator is not supported yet"),
        (
            ROLES + RULE + "confirm = 'name'",
            "rules.1.confirm: typed confirmation is not supported yet",
        ),
        (
            ROLES + RULE + "break_glass = true",
            "rules.1.break_glass: passing a second approver is not supported yet",
        ),
        (
            "[[routes]]\nchannel = 'C0SOC'",
            "routes: cards are not posted by themselves yet",
        ),
    ],
)
def test_what_is_not_supported_yet_is_refused_and_said_so(text, line):
    assert problems(text) == [f"secmaster-bot.toml: {line}"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("rule = []", "rule"),
        ("[role.approver]\nusers = []", "role"),
        ("[roles.approver]\nuser = ['U0ALICE']", "roles.approver.user"),
        ("[roles.approver]\ngroups = ['S0SOC']", "roles.approver.groups"),
        (ROLES + RULE + "whne = { name = 'x' }", "rules.1.whne"),
        (ROLES + RULE + "when = { nmae = 'x' }", "rules.1.when.nmae"),
        (ROLES + RULE + "when = { status = 'x' }", "rules.1.when.status"),
        (ROLES + RULE + RULE + "reasons = 'none'", "rules.2.reasons"),
        ("[commands]\nroots = '/x'", "commands.roots"),
    ],
)
def test_a_mistyped_key_is_refused_by_its_place(text, where):
    (line,) = problems(text)
    assert line.startswith(f"secmaster-bot.toml: {where}: ")


# Values that mean nothing.


@pytest.mark.parametrize("key", ["name", "related_object"])
@pytest.mark.parametrize("pattern", ["(", "[a", "*x", "a{2,1}", "(?P<n"])
def test_a_pattern_that_cannot_be_read_is_refused(key, pattern):
    (line,) = problems(ROLES + RULE + f"when = {{ {key} = '{pattern}' }}")
    assert f"rules.1.when.{key}: " in line
    assert "is not a pattern" in line


@pytest.mark.parametrize(
    "action", ["task.aprove", "approve", "task", "tasks.*", "task.", "", "**", "TASK.APPROVE"]
)
def test_an_unknown_action_is_refused_and_the_known_ones_listed(action):
    line = problems(ROLES + f"[[rules]]\nactions = ['{action}']\nroles = ['approver']")[0]
    assert line.startswith("secmaster-bot.toml: rules.1.actions.1: ")
    assert f"'{action}' is no action" in line
    assert "task.approve" in line


def test_an_unknown_action_is_one_problem_in_plain_words():
    (line,) = problems(ROLES + "[[rules]]\nactions = ['task.aprove']\nroles = ['approver']")
    assert line.startswith("secmaster-bot.toml: rules.1.actions.1: 'task.aprove' is no action")


def test_a_rule_for_a_role_that_is_not_defined_is_refused():
    (line,) = problems(ROLES + RULE + "[[rules]]\nactions = ['*']\nroles = ['aprover']")
    assert line == "secmaster-bot.toml: rules.2.roles: 'aprover' is not defined under [roles]"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[[rules]]\nroles = ['approver']", "rules.1.actions"),
        ("[[rules]]\nactions = ['*']", "rules.1.roles"),
        ("[[rules]]\nactions = []\nroles = ['approver']", "rules.1.actions"),
        ("[[rules]]\nactions = ['*']\nroles = []", "rules.1.roles"),
        ("[[rules]]\nactions = '*'\nroles = ['approver']", "rules.1.actions"),
        (RULE + "reason = 'maybe'", "rules.1.reason"),
        (RULE + "reason = true", "rules.1.reason"),
        (RULE + "when = 'always'", "rules.1.when"),
        ("[roles.other]\nusers = 'U0ALICE'", "roles.other.users"),
        ("[roles.other]\nusers = [1]", "roles.other.users.1"),
    ],
)
def test_a_rule_or_role_that_is_not_whole_is_refused_by_its_place(text, where):
    (line,) = problems(ROLES + text)
    assert line.startswith(f"secmaster-bot.toml: {where}: ")


def test_an_empty_list_of_business_types_is_not_read_as_all_of_them():
    (line,) = problems(ROLES + RULE + "when = { business_type = [] }")
    assert "rules.1.when.business_type" in line


# All at once.


def test_several_problems_are_listed_together():
    lines = problems(
        "[roles.approver]\nuser = ['U0ALICE']\n"
        "[[rules]]\nactions = ['task.aprove']\nroles = ['approver']\napprovals = 2\n"
        "when = { name = '(' }\n"
        "[[routes]]\nchannel = 'C0SOC'\n"
    )
    for part in ("user", "task.aprove", "approvals", "'('", "routes"):
        assert any(part in line for line in lines), part
    assert all(line.startswith("secmaster-bot.toml: ") for line in lines)


def test_every_rule_with_an_undefined_role_is_listed():
    lines = problems(
        "[[rules]]\nactions = ['*']\nroles = ['one']\n[[rules]]\nactions = ['*']\nroles = ['two']"
    )
    assert any("'one'" in line for line in lines)
    assert any("'two'" in line for line in lines)


def test_an_undefined_role_is_listed_beside_other_problems():
    lines = problems("[[rules]]\nactions = ['*']\nroles = ['one']\napprovals = 2")
    assert any("approvals" in line for line in lines)
    assert any("'one'" in line for line in lines)


@pytest.mark.parametrize("text", ["roles =", "[[rules]", "a = 1\na = 2", "{}", "\0", "= 3"])
def test_what_is_not_toml_is_refused_in_one_line(text):
    (line,) = problems(text)
    assert line.startswith("secmaster-bot.toml: not TOML: ")


@settings(max_examples=150, deadline=None)
@example("roles = 3")
@example("rules = [3]")
@example("[roles]\nself = 3")
@example("[rules]\n1 = 3")
@given(st.text())
def test_whatever_stands_in_the_file_it_is_read_or_refused(text):
    try:
        assert isinstance(parse(text), Config)
    except ConfigError as wrong:
        assert str(wrong).startswith("secmaster-bot.toml: ")  # noqa: PT017 - either is right


# The names of the commands.


def test_the_commands_have_their_names_by_default():
    commands = Config().commands
    assert commands.names == ("/secmaster", "/task", "/instance")
    assert [commands.prefix(name) for name in commands.names] == ["", "task", "instance"]


def test_the_commands_may_be_renamed():
    commands = parse("[commands]\nroot = '/sm'\ntask = '/sm-task'\ninstance = '/sm_run2'").commands
    assert commands.names == ("/sm", "/sm-task", "/sm_run2")
    assert [commands.prefix(name) for name in commands.names] == ["", "task", "instance"]


def test_any_of_the_commands_may_be_left_out():
    commands = parse("[commands]\ntask = ''\ninstance = ''").commands
    assert commands.names == ("/secmaster",)
    assert commands.prefix("/secmaster") == ""
    assert parse("[commands]\nroot = ''\ntask = ''\ninstance = ''").commands.names == ()


@pytest.mark.parametrize(
    "name", ["secmaster", "/", "/Sec", "/a b", "/ä", f"/{'a' * 32}", "//", " "]
)
def test_what_slack_would_not_take_as_a_command_is_refused(name):
    (line,) = problems(f"[commands]\nroot = '{name}'")
    assert line.startswith("secmaster-bot.toml: commands.root: ")
    assert "is no slash command" in line


@pytest.mark.parametrize(
    "text",
    ["task = '/x'\ninstance = '/x'", "task = '/secmaster'", "root = '/instance'"],
)
def test_two_commands_of_one_name_are_refused(text):
    assert any("commands" in line for line in problems(f"[commands]\n{text}"))


@pytest.mark.parametrize(("text", "every"), [("", 15), ("[watch]\nevery = 0", 0)])
def test_cards_follow_every_15_seconds_or_as_said(text, every):
    assert parse(text).watch.every == every


@pytest.mark.parametrize("every", ["-1", "3601", "nan", "'often'", "true"])
def test_an_odd_pause_between_rounds_is_refused(every):
    with pytest.raises(ConfigError, match=r"watch\.every"):
        parse(f"[watch]\nevery = {every}")
