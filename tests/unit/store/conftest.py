"""The store of the tests of its tables."""

from collections.abc import Iterator

import pytest

from bot.store import Store, close, connect, migrate


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = connect(database_url)
    migrate(engine)
    yield Store(engine)
    close(engine)
