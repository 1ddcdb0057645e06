"""CodeBuild that really runs the buildspec, as processes on this machine instead of in a container.

Start reading at `service.py` (which operations are replaced), then `build.py` (the phases of one build).
MiniStack keeps the records of projects and builds; it would otherwise report success without running anything.
"""
