"""How long the database may take: two processes never hold one lock by clocks of their own."""

from bot.runtime.timeouts import DatabaseTimeouts


def test_a_lock_is_counted_as_lost_before_the_server_frees_it() -> None:
    timeouts = DatabaseTimeouts()
    assert timeouts.confirm + timeouts.confirm_within <= timeouts.held < timeouts.session
    assert timeouts.session < timeouts.take_over
