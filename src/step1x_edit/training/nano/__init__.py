"""Pictures come in, the parts of the embedded release go out: small networks of the same classes as the large."""
