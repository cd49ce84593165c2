"""Networks as students and teachers: by name, by hub id, from disk."""
