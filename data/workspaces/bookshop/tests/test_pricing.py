from bookshop.models import Book, OrderLine
from bookshop.pricing import discount, line_total, with_vat


def test_vat_is_added():
    assert with_vat(100.0) == 107.0


def test_line_total():
    assert line_total(OrderLine(Book("1", "Walden", 8.5), 2)) == 17.0


def test_regulars_get_a_fifth_off():
    assert discount(100.0, 120) == 80.0
