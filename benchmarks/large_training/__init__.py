"""Ten million rows: how much memory training takes in each way, whether the model is the same, and what a second host gains."""
