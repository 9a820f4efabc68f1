"""The part store: files of other people's models, pinned and hashed. In: a part's name. Out: the path of its file."""
