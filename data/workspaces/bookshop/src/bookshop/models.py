"""The things the shop deals in."""

from dataclasses import dataclass, field


@dataclass
class Book:
    isbn: str
    title: str
    price: float
    stock: int = 0


@dataclass
class Customer:
    name: str
    email: str
    points: int = 0


@dataclass
class OrderLine:
    book: Book
    quantity: int


@dataclass
class Order:
    customer: Customer
    lines: list[OrderLine] = field(default_factory=list)
    paid: bool = False
