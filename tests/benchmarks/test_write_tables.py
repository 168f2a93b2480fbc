"""The figures in the documentation are the committed ones."""

import re

import pytest

import write_tables
from markdown_cells import metric_text
from report import Metric


@pytest.mark.parametrize("page", write_tables.documents(), ids=lambda page: page.name)
def test_the_tables_of_a_page_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    made = write_tables.with_tables(text)
    assert made == text, "run python benchmarks/write_tables.py"


def test_every_marker_is_of_a_table_and_closed():
    names = []
    for page in write_tables.documents():
        text = page.read_text(encoding="utf-8")
        opened = re.findall(r"<!-- table: ([\w-]+) -->", text)
        assert len(opened) == text.count("<!-- end table -->"), page.name
        names += opened
    assert set(names) <= set(write_tables.TABLES)
    assert {"model", "render", "silhouettes"} <= set(names)


def test_only_what_lies_between_the_markers_changes():
    page = "before\n<!-- table: silhouettes -->\nold\n<!-- end table -->\nafter"
    made = write_tables.with_tables(page)
    assert made.startswith("before\n<!-- table: silhouettes -->\n| mesh |")
    assert made.endswith("|\n<!-- end table -->\nafter")
    assert "old" not in made
    assert write_tables.with_tables(made) == made


def test_a_marker_without_a_table_is_an_error():
    with pytest.raises(KeyError, match="nothing"):
        write_tables.with_tables("<!-- table: nothing -->\n<!-- end table -->")


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric("a", 0.0369, "s"), "37 ms"),
        (Metric("a", 0.6257, "s"), "0.63 s"),
        (Metric("a", 782.1, "MB"), "782 MB"),
        (Metric("a", 13.52, "times"), "14 times"),
        (Metric("a", 63903, "points"), "63,900 points"),
    ],
)
def test_figures_are_rounded_to_what_they_are_worth(metric, text):
    assert metric_text(metric) == text
