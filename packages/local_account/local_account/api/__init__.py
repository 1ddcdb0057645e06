"""What a request asks for, whatever wire protocol it came in: read once at the port, then checked."""
