"""Is the preparation of a million rows as fast and as frugal as scikit-learn's own pipeline with the same steps?"""
