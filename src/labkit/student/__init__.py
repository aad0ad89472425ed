"""The student's loop: know where you are, see why, get a nudge, try again.

Nothing here imports torch before it has to; all of it is made from the manifest and the records of the graded suite.
"""
