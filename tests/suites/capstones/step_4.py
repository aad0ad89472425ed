"""Step 4, images: one behaviour a test, judged by the values that a scenario brought back."""


def test_frame_4(observe, draw):
    """[write]"""
