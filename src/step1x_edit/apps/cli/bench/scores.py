"""``step1x bench scores``: a judge's answers → means with intervals and counts; two editors and more, compared case by case."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from step1x_edit.schema.judged import CaseLanguage

__all__ = ["scores"]


def scores(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Output of `bench judge`, or editors' or judges' folders in it."),
    ],
    arithmetic: Annotated[
        Literal["own", "official"],
        typer.Option(help="official: as the released script averages; what it would guess is listed."),
    ] = "own",
    subset: Annotated[Literal["full", "intersection"] | None, typer.Option(help="Only this subset.  [both]")] = None,
    language: Annotated[Literal["en", "cn"] | None, typer.Option(help="Only this language.  [both]")] = None,
    judge_free: Annotated[
        str | None,
        typer.Option(
            metavar="CASES", help="Measure the pictures of these cases (as --suite of `bench run`) without a judge."
        ),
    ] = None,
    parts: Annotated[
        Path | None, typer.Option(help="Folder of expert parts (`step1x data setup`), if not in its usual place.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Average what a judge said. Runs of several editors under one judge are also compared in pairs."""
    import json

    from step1x_edit.apps.cli.bench.score_tables import show_differences, show_left_out, show_table
    from step1x_edit.benchmark.running import write_whole
    from step1x_edit.benchmark.scores.averaging import LANGUAGES, SUBSETS
    from step1x_edit.benchmark.scores.judged_run import check_comparable, judged_folders, read_judged_run
    from step1x_edit.benchmark.scores.pairing import paired_differences
    from step1x_edit.benchmark.scores.table import score_table
    from step1x_edit.schema.judged_scores import Subset

    languages: tuple[CaseLanguage, ...] = (language,) if language else LANGUAGES
    if judge_free is not None:
        _without_judge(runs, judge_free, languages=languages, parts=parts, json_file=json_file)
        return
    judged = [read_judged_run(folder) for path in runs for folder in judged_folders(path)]
    check_comparable(judged)
    subsets: tuple[Subset, ...] = (subset,) if subset else SUBSETS
    tables = [score_table(run, arithmetic=arithmetic) for run in judged]
    pairs: list[tuple[CaseLanguage, Subset]] = [(spoken, part) for spoken in languages for part in subsets]
    several = pairs if len(judged) > 1 else []
    differences = [one for spoken, part in several for one in paired_differences(judged, language=spoken, subset=part)]
    for table in tables:
        for section in table.sections:
            if section.language in languages and section.subset in subsets:
                show_table(table, section)
        show_left_out(table)
    show_differences(differences)
    if json_file is not None:
        figures = {
            "tables": [one.model_dump(mode="json") for one in tables],
            "differences": [one.model_dump(mode="json") for one in differences],
        }
        write_whole(json_file, (json.dumps(figures, ensure_ascii=False, indent=1) + "\n").encode())


def _without_judge(
    runs: list[Path], suite: str, *, languages: tuple[CaseLanguage, ...], parts: Path | None, json_file: Path | None
) -> None:
    import json

    from step1x_edit.apps.cli.bench.judge_free import measure_runs, show_judge_free
    from step1x_edit.benchmark.judge_free import summarise_judge_free
    from step1x_edit.benchmark.running import write_whole

    figures = {}
    for method, scores in measure_runs(runs, suite, languages=languages, parts=parts).items():
        summaries = summarise_judge_free(scores)
        show_judge_free(method, summaries)
        figures[method] = {
            "summaries": [one.model_dump(mode="json") for one in summaries],
            "cases": [one.model_dump(mode="json") for one in scores],
        }
    if json_file is not None:
        write_whole(json_file, (json.dumps(figures, ensure_ascii=False, indent=1) + "\n").encode())
