"""A judge's answers → means per task and over tasks, intervals, paired tests; the released arithmetic beside ours."""
