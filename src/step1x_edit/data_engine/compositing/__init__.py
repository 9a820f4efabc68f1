"""Makes a cut-out belong to its photograph: clean rim, same light, sharpness and grain, a shadow, ground to stand on.

Comes in: a cut-out (RGBA), the picture it goes into, a spot. Goes out: a :class:`~step1x_edit.data_engine.scene.Placed`.
The other way round, a photograph is emptied of its subject. The report leaves both to FLUX Fill (section 3.1, Fig. 3).
"""
