"""How good is the model of the default budget, beside LightGBM, CatBoost and AutoGluon on the same rows of public data sets?"""
