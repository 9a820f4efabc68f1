"""``step1x train``: pairs and one config file in, an adapter or whole weights out. One file per command."""
