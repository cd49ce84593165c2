"""Predictions to files, one module a format.

Each has `SUFFIX` and `writing(path, bundle)`: a context that gives a function to call with every prediction or failed
page, in order. Only the closed file is complete, so `path` should be a temporary one (`schema/writing.py`).
"""
