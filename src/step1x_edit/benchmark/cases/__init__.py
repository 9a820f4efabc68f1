"""Cases of GEdit-Bench, of a mini suite or of one's own folder → the same records, whatever they came from."""
