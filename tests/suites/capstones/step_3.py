"""Step 3, decoding: one behaviour a test, judged by the values that a scenario brought back."""


def test_frame_3(observe, draw):
    """[write]"""
