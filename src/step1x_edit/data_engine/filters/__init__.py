"""Filters: an edit pair in, decisions and scores out (data checks of the report's section 3.1, thresholds in data)."""
