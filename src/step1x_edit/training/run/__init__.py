"""One run: batches and what is trained come in; checkpoints, records and exports go out, through every stop and kill."""
