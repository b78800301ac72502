"""From basket to order."""

from bookshop.models import Customer, Order, OrderLine
from bookshop.pricing import discount, line_total


def total(order: Order) -> float:
    amount = sum(line_total(line) for line in order.lines)
    return discount(amount, order.customer.points)


def new_order(customer: Customer, lines: list[OrderLine]) -> Order:
    return Order(customer=customer, lines=lines)


def mark_paid(order: Order) -> Order:
    order.paid = True
    return order
