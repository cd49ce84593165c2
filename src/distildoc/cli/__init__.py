"""One verb per stage."""
