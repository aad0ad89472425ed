"""Step 2, a training step: one behaviour a test, judged by the values that a scenario brought back."""


def test_frame_2(observe, draw):
    """[write]"""
