"""The doors: command line, later a server and a web page.

In: what people type or send. Out: the same ``EditRequest`` from every door. Here alone errors become exit codes, and
here alone the environment is read (``settings``).
"""
