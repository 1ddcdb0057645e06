"""What watching production costs, and whether what it says can be trusted: one command for each question."""
