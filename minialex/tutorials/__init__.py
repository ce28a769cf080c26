"""What a learner has solved of the tutorials, and the command that shows it.

The lessons themselves are in the folder tutorials/ of a checkout; a wheel does not have them.
"""
