"""From a run file to objects, and from objects through the stages: the one place that knows every name."""
