"""Damage that pages suffer between printer and file: eight kinds of five severities, from 1 mild to 5 harsh."""

from distildoc.data.corruptions.corrupt import KINDS, SEVERITIES, VERSION, corrupted, moved

__all__ = ["KINDS", "SEVERITIES", "VERSION", "corrupted", "moved"]
