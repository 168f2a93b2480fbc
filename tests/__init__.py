"""Tests, with what checks shapes and types while they run (pyproject.toml)."""

from tests.checking import checked as checked
