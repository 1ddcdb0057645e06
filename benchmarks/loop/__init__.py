"""How long a person waits: the whole demo and its stages, synthesis, the local account's start, the tests."""
