"""How long a broken live version takes to be left: from the decision to the first answer of the earlier one, and until that is verified."""
