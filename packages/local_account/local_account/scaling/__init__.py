"""Application Auto Scaling of endpoint variants: the API (`operations.py`) and the loop that acts (`control_loop.py`).

What is decided, and when, is `capacity.engine`'s business, which the simulator uses too; here it meets real processes.
"""
