"""A fresh book for each test of the desk, and one in which contracts are agreed."""

from pathlib import Path

import pytest

from comptoir.tenants.parties import Role
from tests.builders import Book
from tests.desk.contract_book import Deal


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.fixture
def deal(book: Book) -> Deal:
    acme = book.tenant("acme")
    return Deal(
        book, book.user(Role.SALES), book.user(Role.APPROVER), acme,
        book.user(Role.TENANT_ADMIN, tenant=acme),
    )  # fmt: skip
