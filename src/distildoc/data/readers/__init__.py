"""Readers of data sets: each module has `read(*, ...) -> PageSet`."""
