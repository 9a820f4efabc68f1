"""``step1x bench study``: people rank edits blind on a local page; what they said so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from step1x_edit.benchmark.study.ratings import Ratings

__all__ = ["study"]


def study(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN...", help="Folders results/METHOD, one for each editor.")
    ] = None,
    cases: Annotated[str, typer.Option(metavar="NAME|FOLDER", help="Cases that the editors were run over.")] = "gedit",
    db: Annotated[Path, typer.Option(help="SQLite file of the answers; an earlier one is gone on with.")] = Path(
        "output/bench/study.sqlite"
    ),
    language: Annotated[Literal["en", "zh"], typer.Option(help="Language of instructions and page.")] = "en",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8390,
    results: Annotated[bool, typer.Option("--results", help="Only say what people said so far.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="File that takes what people said.")] = None,
) -> None:
    """Serve a page for blind ranking until Ctrl-C, then say what people said."""
    from step1x_edit.apps.cli.failures import say
    from step1x_edit.benchmark.cases.opening import open_cases
    from step1x_edit.benchmark.study.items import gather_items
    from step1x_edit.benchmark.study.ratings import Ratings
    from step1x_edit.benchmark.study.server import HOST, serve_study, study_app
    from step1x_edit.errors import DataError

    if results:
        if not db.is_file():
            raise DataError(
                given=f"no file {db}",
                expected="the answers of a study",
                remedy="Name it with --db, or start a study first.",
            )
    else:
        items = gather_items(open_cases(cases), runs or [], language="cn" if language == "zh" else "en")
        app = study_app(items, Ratings(db))
        say(f"{len(items)} cases on http://{HOST}:{port}/; Ctrl-C ends, the answers stay in {db}.")
        serve_study(app, port=port)
    _tell(Ratings(db), json_out)


def _tell(ratings: Ratings, json_out: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from step1x_edit.benchmark.report.wording import averaged
    from step1x_edit.benchmark.running import write_whole
    from step1x_edit.benchmark.study.results import study_results

    found = study_results(ratings.all())
    table = Table("editor", "mean of tasks (95 %)", "cases", "answers")
    for one in found.methods:
        table.add_row(one.method, averaged(one.macro), str(one.cases), str(one.ratings))
    console = Console()
    console.print(table)
    agreement = "not known yet" if found.agreement is None else f"{found.agreement:.2f}"
    console.print(f"{found.people} people; agreement (Krippendorff's alpha, ordered levels): {agreement}")
    if json_out is not None:
        write_whole(json_out, (found.model_dump_json(indent=1) + "\n").encode())
