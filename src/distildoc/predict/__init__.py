"""Run a bundle on pages. Never imports torch.

>>> sorted(WRITERS)
['csv', 'json']
"""

WRITERS = {"json": "distildoc.predict.writers.json", "csv": "distildoc.predict.writers.csv"}
