"""Where pictures come from: folders, lists, Parquet, WebDataset or public packages in, a pool out.

``opening`` turns what a user names into offers (bytes with what is known), ``starter`` does so for the chosen pictures of
public packages; ``ingest`` brings either into a :class:`~step1x_edit.data_engine.pool.Pool`. The report's section 3.1 only
names its sources; sizes, splits and licences are ours.
"""
