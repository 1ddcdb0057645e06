"""Measurements that the README quotes. Each folder or module is one question; README.md has the answers and how to repeat them."""

from plain_signs import print_anywhere

print_anywhere()  # each measurement is a program, and this is where all of them begin
