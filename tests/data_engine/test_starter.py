"""The starter pool's choice: terms of single files, licences, and tables that fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from step1x_edit.data_engine.sources.debian_copyright import DebianCopyright
from step1x_edit.data_engine.sources.licences import is_permissive
from step1x_edit.data_engine.sources.offers import Candidate, Known, Unreadable
from step1x_edit.data_engine.sources.starter import (
    label_in_chinese,
    permissive_offers,
    photograph_tables,
    starter_counts,
    starter_packages,
)

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2010, 2011 by A <a@b.c>
 2012 B
 2013 C
 2014 D
License: GPL-3+

Files: src/animals/*
Copyright: none
License: public-domain

Files: src/animals/cat.jpg
       src/animals/dog.png
Copyright: 2015, Eve
License: CC-BY-2.0
Comment: https://example.org

License: GPL-3+
 The text of the licence.
"""


def test_licence_and_author_are_those_of_the_last_stanza_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "copyright").write_text(COPYRIGHT, encoding="utf-8")
    stated = DebianCopyright(tmp_path / "copyright")
    found = {name: stated.terms(name) for name in ("src/animals/cat.webp", "src/animals/owl.webp", "src/other.webp")}
    terms = {name.rpartition("/")[2]: (one.licence, one.author) for name, one in found.items() if one}
    assert terms == {
        "cat.webp": ("CC-BY-2.0", "Eve"),
        "owl.webp": ("public-domain", ""),
        "other.webp": ("GPL-3+", "by A <a@b.c>, B, C, et al."),
    }


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("CC0-1.0", True),
        ("public-domain", True),
        ("CC-BY-4.0", True),
        ("CC BY 2.0", True),
        ("MIT", True),
        ("Apache-2.0 AND BSD-3-Clause", True),
        ("CC-BY-SA-3.0 or CC-BY-4.0", True),
        ("public domain, CC0-1.0, CC-BY", True),
        ("CC-BY-SA-3.0", False),
        ("CC-BY-NC-4.0", False),
        ("GPL-3+", False),
        ("CC0-1.0 and GPL-2+", False),
        ("per file: public domain, CC0-1.0", False),
        ("Apache-2.0 (package; not stated per picture)", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_only_licences_without_duties_but_a_notice_are_permissive(licence: str, permissive: bool) -> None:
    assert is_permissive(licence) == permissive


def test_permissive_only_leaves_out_the_rest_but_counts_what_cannot_be_read() -> None:
    offers = [
        Candidate(uri="a", data=b"", known=Known(dataset="d", licence="MIT")),
        Candidate(uri="b", data=b"", known=Known(dataset="d")),
        Unreadable(uri="c", dataset="d", reason="gone"),
    ]
    first, _, third = offers
    assert list(permissive_offers(iter(offers))) == [first, third]


def test_every_chosen_picture_belongs_to_a_package_and_every_label_has_a_chinese_name() -> None:
    assert set(photograph_tables()) <= set(starter_packages())
    for name, table in photograph_tables().items():
        chosen = {*table.get("scenes", []), *table.get("photographs", [])}
        assert len(chosen) == len(table.get("scenes", [])) + len(table.get("photographs", [])), name
        for label, paths in table.get("shows", {}).items():
            assert label_in_chinese(label), label
            assert set(paths) <= chosen, name
    assert all(count > 0 for count in starter_counts().values())
