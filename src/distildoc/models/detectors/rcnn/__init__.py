"""Mask R-CNN in plain torch: no compiled RoIAlign or suppression, so it runs and exports wherever torch does.

`presets` names the models, `build` makes them, `bodies` and `head` are their two parts.
"""
