"""What an approver judges by: facts of a version beside production's, shown as a page and as text. Next: facts.py, view.py."""
