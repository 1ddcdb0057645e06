"""Whether what monitoring says can be trusted: one command for each question."""
