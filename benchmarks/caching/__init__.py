"""How long a training takes again when nothing that it runs has changed."""
