"""Prices and discounts."""

from bookshop.models import Book, OrderLine

VAT_RATE: float = 0.07


def with_vat(price: float) -> float:
    return round(price * (1 + VAT_RATE), 2)


def line_total(line: OrderLine) -> float:
    return line.book.price * line.quantity


def discount(total: float, points: int) -> float:
    if points >= 100:
        return total * 0.9
    return total


def price_tag(book: Book) -> str:
    return book.title + ": " + book.price
