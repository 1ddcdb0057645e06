"""The parts of step 4: each module takes predictions or a model and gives plain JSON values for the report."""
