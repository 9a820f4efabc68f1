"""Makes training triplets. In: pictures of the pool. Out: reference, instruction and target (report, section 3.1).

``sources/`` builds the pool, ``recipes/`` holds one file per edit task, ``instructions/`` words what was done, and
``run/`` makes attempts by number until a store is full.
"""
