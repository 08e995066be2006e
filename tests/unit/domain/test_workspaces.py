"""References name a workspace by its alias; one that is gone is not found."""

import pytest

from bot.domain.objects import Ref
from bot.domain.workspaces import Workspaces
from bot.secmaster import NotFound

WORKSPACES = Workspaces({}, {"main": "soc-east"})


def test_a_workspace_goes_by_its_alias_and_by_its_name() -> None:
    assert WORKSPACES.all_names("main") == {"main", "soc-east"}
    assert WORKSPACES.all_names("other") == {"other"}


async def test_an_object_of_a_workspace_that_is_gone_is_not_found() -> None:
    with pytest.raises(NotFound, match="gone is not configured here"):
        await WORKSPACES.read(Ref(kind="task", id="t1", workspace="gone"))
