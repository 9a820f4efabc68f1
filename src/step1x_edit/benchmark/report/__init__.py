"""Runs in, one HTML page that needs nothing else out, with Markdown and JSON beside it where a judge has scored them."""

from step1x_edit.benchmark.report.known_targets import ReportedCase, html_report, thumbnail

__all__ = ["ReportedCase", "html_report", "thumbnail"]
