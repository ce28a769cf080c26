"""The hidden checks of the assignments, for instructors: the students' package leaves this folder out."""
