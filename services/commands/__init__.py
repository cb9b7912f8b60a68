"""The subjects of the command line, one file each."""
