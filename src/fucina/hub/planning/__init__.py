"""Room `planning`: what-if questions that people save, and their answers."""
