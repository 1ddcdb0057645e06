"""Is the registered model at least as good as the one of AWS's abalone sample pipeline, on the same rows?"""
