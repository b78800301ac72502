from tracker.core.search import by_label
from tracker.core.tickets import Ticket


def test_by_label():
    ticket = Ticket(1, "Crash on start", labels=["bug"])
    assert by_label([ticket], "bug") == [ticket]


def test_unknown_label():
    assert by_label([Ticket(1, "Crash on start")], "bug") == []
