"""Step 5, fine-tuning: one behaviour a test, judged by the values that a scenario brought back."""


def test_frame_5(observe, draw):
    """[write]"""
