"""Errors that are the user's to put right, apart from our own mistakes."""

from __future__ import annotations

import contextlib


class UserError(ValueError):
    """What was asked for cannot be done, and the message says what to change. A command shows it as one sentence."""


@contextlib.contextmanager
def as_user_error(prefix=""):
    """Turn a ValueError about what the user gave (an unknown name, a damaged file) into a UserError.

    To be put around as little as possible: around our own arithmetic it would make advice of a mistake of ours.
    """
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{prefix}{error}") from error
