"""Print the catalogue."""

from bookshop.catalog import Catalog
from bookshop.models import Book


def sample_catalog() -> Catalog:
    catalog = Catalog()
    catalog.add(Book("978-1", "Walden", "8.5", 2))
    catalog.add(Book("978-2", "Emma", 6.0, 1))
    return catalog


def main() -> None:
    for title in sample_catalog().titles():
        print(title)


if __name__ == "__main__":
    main()
