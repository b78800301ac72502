from textkit.wrap import unwrap, wrap


def test_wrap():
    assert wrap("one two three", 7) == ["one two", "three"]


def test_unwrap():
    assert unwrap(["one two", "three"]) == "one two  three"
