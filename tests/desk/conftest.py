"""A fresh book for each test of the desk."""

from pathlib import Path

import pytest

from tests.builders import Book


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)
