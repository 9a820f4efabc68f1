"""``step1x bench``: an editor and a suite in, a table and a report out. One file per command."""
