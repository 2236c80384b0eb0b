"""Rows as columns for a terminal, and as Markdown."""

from plain.table import columns, markdown

ROWS = [("APP", "PODS"), ("my-api", "2"), ("a|b", "")]


def test_columns_are_as_wide_as_their_widest_cell_and_lines_end_with_text() -> None:
    assert list(columns(ROWS)) == ["APP     PODS", "my-api  2", "a|b"]


def test_numbers_end_at_the_right_of_their_column() -> None:
    assert list(columns(ROWS, numbers=True)) == ["APP     PODS", "my-api     2", "a|b"]


def test_a_pipe_ends_no_cell_of_markdown() -> None:
    assert list(markdown(ROWS)) == [
        "| APP | PODS |",
        "| --- | --- |",
        "| my-api | 2 |",
        r"| a\|b |  |",
    ]


def test_aligned_markdown_is_a_table_where_nothing_renders_it() -> None:
    assert list(markdown(ROWS, aligned=True)) == [
        "| APP    | PODS |",
        "| ------ | ---- |",
        "| my-api | 2    |",
        r"| a\|b   |      |",
    ]
