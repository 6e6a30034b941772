"""The project's own music, and the position code that says of every frame where it belongs."""
