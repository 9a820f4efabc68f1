"""The published tables agree with each other: tasks average to the means that were printed elsewhere."""

from __future__ import annotations

from statistics import fmean

import pytest

from step1x_edit.benchmark.published.tables import PublishedRow, PublishedTable, published
from step1x_edit.schema.tasks import EditTask

PER_TASK = [table for table in published().tables if table.rows[0].tasks]
OWN = [table for table in PER_TASK if table.source == "project_page" and table.family != "people"]


def printed_in_the_report(table: PublishedTable, row: PublishedRow) -> float | None:
    found = (
        one.O
        for other in published().tables
        if (other.source, other.language, other.subset, other.family)
        == ("paper_v5", table.language, table.subset, table.family)
        for one in other.rows
        if one.model == row.model
    )
    return next(found, None)


def test_the_tasks_of_the_project_page_average_to_the_tables_of_the_report() -> None:
    checked = 0
    for table in OWN:
        for row in table.rows:
            printed = printed_in_the_report(table, row)
            if printed is not None:
                assert fmean(row.tasks.values()) == pytest.approx(printed, abs=0.0006 + 1e-9)
                checked += 1
    assert checked == 28


@pytest.mark.parametrize("table", PER_TASK, ids=lambda one: one.id)
def test_the_mean_of_a_row_is_that_of_its_eleven_tasks(table: PublishedTable) -> None:
    printed_coarsely = {"weave": 0.041, "gpt_image_edit": 0.0101}
    for row in table.rows:
        assert set(row.tasks) == set(EditTask)
        tolerance = printed_coarsely.get(table.source, 0.0011)
        assert fmean(row.tasks.values()) == pytest.approx(row.O, abs=tolerance)


def test_the_counts_of_the_tasks_are_those_of_the_set() -> None:
    facts = published().benchmark
    assert sum(facts.tasks.values()) == facts.cases == 606
    assert facts.intersection == {"en": 434, "cn": 422}


def test_every_table_names_a_source_with_a_place_and_a_date() -> None:
    for table in published().tables:
        source = published().sources[table.source]
        assert source.where
        assert source.date
        assert table.judge
        assert all(0 <= row.O <= 10 for row in table.rows)
