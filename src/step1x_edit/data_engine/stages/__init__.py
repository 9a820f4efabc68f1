"""Stages: pictures of the pool in, scenes out, for the recipes to work on.

``stage.py`` puts any object anywhere, ``photographic.py`` where it belongs, ``lesson.py`` in the one look that nano is taught;
``emptied_photograph.py`` gives a photograph with and without its subject.
"""
