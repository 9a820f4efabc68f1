"""Makes training triplets. In: pictures of the pool. Out: reference, instruction and target (report, section 3.1).

``sources/`` builds the pool, ``recipes/`` holds one file per edit task, ``instructions/`` words what was done, and
:class:`~step1x_edit.data_engine.stream.PairStream` deals the pairs.
"""
