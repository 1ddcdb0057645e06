"""What watching production costs."""
