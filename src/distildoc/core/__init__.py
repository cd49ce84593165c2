"""What a teacher, a student and a method say to each other: Batch, View, Needs, Task, Teacher, Method."""
