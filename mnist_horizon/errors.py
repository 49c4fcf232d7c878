"""What is wrong with a user's input, said in one line that names what to change."""


class InputError(ValueError):
    """The input is at fault; the message is one line. Commands print it and exit with code 2."""


class SweepError(InputError):
    """A sweep's settings, its working directory or a command's flags are at fault."""
