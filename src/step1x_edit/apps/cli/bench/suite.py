"""``step1x bench suite``: a pool → a suite of held-out cases with known targets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["suite"]


def suite(
    name: Annotated[str, typer.Argument(help="mini-ci or mini.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the suite; new or empty.")],
    pool: Annotated[Path | None, typer.Option(help="Folder of a pool.  [that of `step1x data sources`]")] = None,
    parts: Annotated[
        Path | None, typer.Option(help="Folder of expert parts (`step1x data setup`), if not in its usual place.")
    ] = None,
) -> None:
    """Make a suite of held-out cases and check its hash."""
    from rich.console import Console

    from step1x_edit.apps.cli.progress import edit_progress
    from step1x_edit.data_engine.pool import default_pool_folder
    from step1x_edit.data_engine.suites import build_suite, suite_plan
    from step1x_edit.errors import DataError

    plan = suite_plan(name)
    with edit_progress(1) as bar:
        manifest = build_suite(
            plan, out, pool=pool or default_pool_folder(), parts=parts, progress=bar.picture(0, plan.name)
        )
    Console().print(f"{name}: {sum(manifest.kept.values())} cases in {out}, hash {manifest.hash}", soft_wrap=True)
    if plan.digest and manifest.hash != plan.digest:
        raise DataError(
            given=f"a suite {name} with the hash {manifest.hash}",
            expected=f"{plan.digest}, the suite everybody measures with",
            remedy="Use the starter pool and all parts of this version; figures of the two suites do not compare.",
        )
