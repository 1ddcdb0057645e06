"""The model registry: groups, versions, approval. `packages.py` holds versions and tells of their changes, `groups.py` their groups."""
