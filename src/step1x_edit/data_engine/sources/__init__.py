"""Where pictures come from: packages of public registries in, a :class:`~step1x_edit.data_engine.pool.Pool` out."""
