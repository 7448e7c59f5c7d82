"""The programs of the command mgconv, one a file."""
