"""From a run file to objects, and from objects through the stages: the one place that knows every name."""

from distildoc.recipes.files import read_run_file

__all__ = ["read_run_file"]
