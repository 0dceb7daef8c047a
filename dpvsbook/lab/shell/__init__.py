"""A mini POSIX shell for the emulated hosts: `parser` reads, `run` evaluates, `builtins` and `expand` help."""
