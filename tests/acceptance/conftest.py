"""Every story ends by failing on any message that nobody expected."""

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.support.sdk_models import unmodelled_blocks
from tests.support.slack_recorder import SlackRecorder

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
async def slack(
    slack: SlackRecorder, request: pytest.FixtureRequest
) -> AsyncIterator[SlackRecorder]:
    """The local Slack; at the end, when the bot has stopped, all it posted must have been read.

    A story that leaves messages unread on purpose says so with ``ignore_messages``.
    """
    yield slack
    if request.node.stash.get(PASSED, False):
        unexpected = slack.unexpected_messages()
        assert not unexpected, "messages nobody expected:\n" + "\n".join(map(str, unexpected))
        assert slack.workspace.unknown_arguments == []
        assert unmodelled_blocks(slack) == []


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """A fresh database that has its tables, so that a bot starts on it at once."""
    return databases.with_tables(request.param, tmp_path)
