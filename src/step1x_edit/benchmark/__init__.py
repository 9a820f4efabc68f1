"""The benchmark: cases and an editor in, scores and a report out (GEdit-Bench's sister for known targets: the mini suites)."""
