"""The command line: one module a command, each made from a frozen record."""
