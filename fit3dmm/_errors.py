"""The one exception that is the user's to mend."""


class InputError(ValueError):
    """Something given to fit3dmm is unusable: a file, a photo, a number.

    The message is one sentence that says what was expected, what came and what to do. The command
    line prints it and exits with code 2; every other exception is a failure of our own (code 1).
    """
