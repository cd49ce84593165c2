"""Pure losses: tensors in, one value a page out ([B]); the mean is taken once, in the method that uses them."""
