"""What can be learnt: one function a task, returning a Task."""

TASKS: dict[str, str] = {"classification": "distildoc.tasks.classification"}
