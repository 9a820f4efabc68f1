"""Other people's models, each behind one narrow call. In: a picture. Out: what the expert sees in it."""
