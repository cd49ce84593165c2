"""Run a bundle on pages. Never imports torch.

>>> {task: sorted(formats) for task, formats in WRITERS.items()}
{'classification': ['csv', 'json'], 'detection': ['coco', 'hocr', 'json', 'markdown', 'overlay']}
"""

WRITERS = {
    "classification": {"json": "distildoc.predict.writers.json", "csv": "distildoc.predict.writers.csv"},
    "detection": {
        "json": "distildoc.predict.writers.layout_json",
        "coco": "distildoc.predict.writers.coco",
        "markdown": "distildoc.predict.writers.markdown",
        "hocr": "distildoc.predict.writers.hocr",
        "overlay": "distildoc.predict.writers.overlay",
    },
}
GROUPS = {"classification": "distildoc.writers", "detection": "distildoc.layout_writers"}  # of entry points
