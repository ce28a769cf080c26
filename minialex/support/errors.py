"""Errors that the user can correct, as opposed to bugs."""

from __future__ import annotations

import contextlib


class UserError(ValueError):
    """A request that cannot be met; the message says what to change. Commands print it as one line."""


@contextlib.contextmanager
def as_user_error(prefix=""):
    """A context that turns a ValueError about the user's input (an unknown name, a damaged file) into a UserError.

    prefix: text to put before the message.

    Put it around as little code as possible: it would also turn a bug's ValueError into advice.
    """
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{prefix}{error}") from error
