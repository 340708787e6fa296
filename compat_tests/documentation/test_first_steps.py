"""docs/first-steps.md: everything that it has one type, in its order, and what is printed then."""

from __future__ import annotations

from pathlib import Path

from compat_tests.documentation.pages import check_session

PAGE = "first-steps.md"


def test_everything_typed_prints_what_the_page_says(empty: str, tmp_path: Path) -> None:
    check_session(PAGE, empty, tmp_path)
