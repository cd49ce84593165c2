"""convert.py belongs to docling's interpreter, not to ours."""

collect_ignore = ["convert.py"]
