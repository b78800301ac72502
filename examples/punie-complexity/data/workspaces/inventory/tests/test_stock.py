from inventory.stock import add, is_empty, take


def test_what_is_added_can_be_taken() -> None:
    stock: dict[str, int] = {}
    add(stock, "nut", 3)
    assert take(stock, "nut", 5) == 3
    assert is_empty(stock)
