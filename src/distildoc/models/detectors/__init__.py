"""Layout detectors: a body that gives a pyramid of maps, a head that turns the maps into regions."""
