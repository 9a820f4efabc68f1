"""``step1x data``: source pictures in, a store of checked triplets out. One file per command."""
