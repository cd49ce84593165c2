"""Teachers (live, ensemble, aligned, cached), and the Distiller that adds the terms up."""
