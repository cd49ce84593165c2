"""Damage that pages suffer between printer and file, in eight kinds of five severities."""

KINDS = ("scan_noise", "skew", "blur", "jpeg", "low_resolution", "stamps", "colour", "fax")
SEVERITIES = (1, 2, 3, 4, 5)  # mild to harsh
