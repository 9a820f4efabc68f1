"""One edit from end to end.

In: an ``EditRequest``. Out: an ``EditResult``. ``step1x_edit`` is the diffusers pipeline (Fig. 4 as a loop), ``editor`` the
object a Python user holds, ``intake`` and ``outcome`` the way of pictures in and out.
"""
