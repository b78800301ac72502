from shop.prices import with_tax


def test_tax_is_added() -> None:
    assert with_tax(100.0) == 119.0
