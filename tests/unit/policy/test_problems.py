"""What is wrong with a policy file is said in our words, whatever it is, and where it stands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from bot.domain.objects import ByKind
from bot.policy.cases import Cases, CaseScope
from bot.policy.config import Config, ConfigError, parse
from bot.policy.ids import NotAnId
from bot.policy.problems import bare, place, problems_of
from bot.settings import SettingsError, load
from bot.validation import SENTENCES

ODD_VALUES: tuple[object, ...] = (
    None, True, -1, 10**30, 2.5, float("nan"), "", "x", "\u2028" * 50, [], [1], [{}], {}, {"x": 1},
)  # fmt: skip


def tables_with(model: type[BaseModel], value: object) -> Iterator[dict[str, Any]]:
    """Yield a table for each key of a file, however deep, that has this value there."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield {key: value}
        for wrap, inner in containers(field.annotation):
            yield {key: wrap(value)}
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                for table in tables_with(inner, value):
                    yield {key: wrap(table)}


def containers(annotation: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what a field's value stands in, if anything, and the type of what stands there."""
    kind = bare(annotation)
    arguments: tuple[Any, ...] = get_args(kind)
    if get_origin(kind) is dict:
        yield (lambda value: {"x": value}), bare(arguments[1])
    elif arguments:
        yield (lambda value: [value]), bare(arguments[0])
    else:
        yield (lambda value: value), kind


@pytest.mark.parametrize("model", [Config, Cases])
def test_whatever_stands_at_a_key_is_answered_in_our_own_words(model: type[BaseModel]) -> None:
    types, lines = set(), set()
    nothing = frozenset[str]()
    scope = CaseScope(Config(), ByKind(task=nothing, instance=nothing, playbook=nothing))
    for value in ODD_VALUES:
        for table in tables_with(model, value):
            try:
                model.model_validate(table, context=scope)
            except ValidationError as error:
                types |= {detail["type"] for detail in error.errors()}
                lines |= {problem.line for problem in problems_of(error, table, model)}
    assert types - SENTENCES.keys() == {"value_error"}
    assert len(lines) > 80
    phrases = (
        "Input should",
        "valid",
        "Extra inputs",
        "Field required",
        "Value error",
        "Assertion",
    )
    assert [line for line in lines if any(phrase in line for phrase in phrases)] == []


def test_a_setting_that_is_no_number_is_answered_in_our_words_without_its_value(
    tmp_path: Path,
) -> None:
    file = tmp_path / ".env"
    file.write_text("BOT_PORT=30x0\nRETENTION_DAYS=-1\nBOT_REPLICA=a b\n")
    with pytest.raises(SettingsError) as caught:
        load(file)
    lines = str(caught.value).splitlines()
    assert "BOT_PORT: write a whole number" in lines
    assert "RETENTION_DAYS: must be 0 or more" in lines
    assert "BOT_REPLICA: must have the form ^[A-Za-z0-9_-]{1,40}$" in lines


@pytest.mark.parametrize(
    ("table", "location", "written"),
    [
        ({}, (), ""),
        ({"colour": 1}, ("colour",), "colour"),
        ({"watch": {"every": 1}}, ("watch", "every"), "[watch] every"),
        ({"roles": {"a": {}}}, ("roles", "a", "users", 2), "[roles.a] users, entry 3"),
        ({"rules": [{}, {}]}, ("rules", 1, "when", "name"), "[[rules]] 2: when.name"),
        ({"rules": [{"name": "isolation"}]}, ("rules", 0), "[[rules]] 1 (isolation)"),
        ({"rules": [{"name": "\n"}]}, ("rules", 0, "roles"), "[[rules]] 1: roles"),
        ({"rules": 3}, ("rules",), "rules"),
    ],
)
def test_a_place_is_named_as_it_is_written(
    table: dict[str, Any], location: tuple[str | int, ...], written: str
) -> None:
    assert place(location, table) == written


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[[rules]]\naprovals = 2",
            "[[rules]] 1: aprovals: there is no such key; did you mean",
        ),
        ("[rigths]\naudit = []", "[rigths]: there is no such key; did you mean rights?"),
        ("[watch]\nevery = '15'", "[watch] every: write a number, without quotes"),
        ("[[rules]]\napprovals = '2'", "[[rules]] 1: approvals: write a whole number, without q"),
        ("[[rules]]\nself = 'no'", "[[rules]] 1: self: write true or false, without quotes"),
        ("[roles.a]\nusers = 'U0ALICE'", '[roles.a] users: write a list, such as ["…"]'),
        ("[[rules]]\napprovals = 12", "[[rules]] 1: approvals: must be 9 or less"),
        ("[[rules]]\neffect = 'forbid'", "[[rules]] 1: effect: write 'allow' or 'deny'"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=r"^secmaster-bot\.toml: ") as caught:
        parse(text)
    assert f"secmaster-bot.toml: {sentence}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (
            "[roles.a]\nusers = ['alice@example.com']",
            "alice@example.com",
            "no member id, such as U",
        ),
        ("[roles.a]\nusers = ['@alice']", "@alice", "⋮, Copy member ID"),
        ("[roles.a]\nusergroups = ['@soc-team']", "@soc-team", "is no user group's id, such as S0"),
        ("[break_glass]\nchannel = 'soc'", "soc", "is no channel's id, such as C0123ABCD: it st"),
        ("[watch]\nadmins = ['Alice']", "Alice", "no member id"),
        ("[identities.users]\n'bob@example.com' = 'bob'", "bob@example.com", "no member id"),
        ("[[routes]]\nmention = ['#soc']", "#soc", "no member id or user group's id, such as U0"),
    ],
)
def test_a_name_in_the_place_of_an_id_is_refused_when_the_policy_is_read(
    text: str, name: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert f"{name!r} is no" in str(caught.value)
    assert sentence in str(caught.value)
    [not_an_id] = [problem.not_an_id for problem in caught.value.problems if problem.not_an_id]
    assert isinstance(not_an_id, NotAnId)
    assert not_an_id.text == name
