"""A trained student leaves the house: as ONNX, in a bundle, compared with what it was."""
