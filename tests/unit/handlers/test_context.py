"""What every listener is given: the memory of events, and ids that are the same each time."""

from handlers.context import SeenEvents, stable_id


def test_an_event_is_new_only_at_its_first_delivery() -> None:
    events = SeenEvents()
    assert [events.is_new(id_) for id_ in ("Ev1", "Ev2", "Ev1", "Ev1")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_oldest_event_is_forgotten_once_the_limit_is_passed() -> None:
    events = SeenEvents(limit=2)
    for id_ in ("Ev1", "Ev2", "Ev3"):
        assert events.is_new(id_)
    assert not events.is_new("Ev3")
    assert not events.is_new("Ev2")
    assert events.is_new("Ev1")


def test_the_id_of_a_key_is_the_same_each_time_and_its_own() -> None:
    assert stable_id("T0HOME:1") == stable_id("T0HOME:1")
    assert stable_id("T0HOME:1") != stable_id("T0HOME:2")
    assert stable_id("").isalnum()
    assert len(stable_id("T0HOME:1")) == 32
