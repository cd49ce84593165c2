"""Predictions to files, one module a format.

Each has `TARGET`, the file or folder it makes, and `writing(path, bundle)`: a context that gives a function to call
with every prediction or failed page, in order. Only what is closed is complete, so `path` should be a temporary one
(`schema/writing.py`). Formats of classification are given a Classification, those of layouts a Reading; the latter
also have `TEXT`: whether they use the text of the page, which is then read.
"""
