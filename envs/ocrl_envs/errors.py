"""What the environments raise when the input, not the code, is at fault."""


class UsageError(ValueError):
    """Bad input: one line that says what was wrong, what was expected and what to do.

    The scripts print the line and stop; they show no traceback for it.
    """
