from textkit.slug import slugify


def test_spaces_become_dashes():
    assert slugify("Hello, World") == "hello-world"


def test_accents_are_dropped():
    assert slugify("Crème brûlée") == "creme-brulee"
