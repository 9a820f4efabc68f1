"""Results on GEdit-Bench that others published, each with its source, judge, date and subset."""
