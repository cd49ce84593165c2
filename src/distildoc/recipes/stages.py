"""Every stage under one name; each says in a line what came out."""

from distildoc.recipes.training import cache, check, train

__all__ = ["cache", "check", "train"]
