"""Measurements that the README quotes. Each folder or module is one question; README.md has the answers and how to repeat them."""
