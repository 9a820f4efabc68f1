"""Named settings as data: releases, sampling presets. In: TOML and text files. Out: checked records of ``schema``."""
