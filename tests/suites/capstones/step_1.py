"""Step 1, sequences: one behaviour a test, judged by the values that a scenario brought back."""


def test_frame_1(observe, draw):
    """[write]"""
