"""The checker that runs behind jaxtyping's shapes in the tests; an ``int`` may stand where a ``float`` is asked for."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
