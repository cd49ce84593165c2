"""Models that read texts: bodies, presets, tokenizers, and how they are built."""
