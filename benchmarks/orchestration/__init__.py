"""How much time does the local account add to the steps it runs, against a well-known local orchestrator?"""
