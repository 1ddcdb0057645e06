"""From an alarm to the version that comes of it, in the local account, with a clock that runs as ours does."""
