"""Triplets come in, adapters or weights go out (report, section 4); ``nano/`` makes the embedded release's parts."""
