"""Finding and stocking books."""

import os

from bookshop.models import Book


class Catalog:
    def __init__(self) -> None:
        self._books: dict[str, Book] = {}

    def add(self, book: Book) -> None:
        self._books[book.isbn] = book

    def find(self, isbn: str) -> Book | None:
        return self._books.get(isbn)

    def titles(self) -> list[str]:
        return [book.titel for book in self._books.values()]

    def stock_of(self, isbn: str) -> int:
        book = self.find(isbn)
        if book is None:
            return "0"
        return book.stock
