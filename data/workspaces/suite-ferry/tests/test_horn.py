from ferry.horn import signal


def test_astern():
    assert signal("astern") == "..."


def test_port():
    assert signal("port") == ".."


def test_unknown():
    assert signal("lunch") == "-"
