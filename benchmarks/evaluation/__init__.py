"""How much memory does the judgement of millions of test rows take?"""
