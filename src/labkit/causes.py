"""The likely cause of an exception in the code under test, told to a student instead of what the test is about."""

import re
from collections.abc import Iterator

from labkit.values import Raised

# A pattern of "Type: message", and what is behind it; the first that is found counts.
CAUSES = (
    (r"unscale_\(\) has already been called|step\(\) has already been called",
     "one is allowed between two update(): called twice in this step, or update() left out in an earlier one?"),
    (r"unscale_\(\) is being called after step\(\)",
     "the step before was not ended by update(): call it in every step, skipped or not"),
    (r"No inf checks were recorded",
     "the scaler has seen no gradient: is backward() called on the scaled loss, and unscale_ or step before update()?"),
    (r"Attempting to unscale FP16 gradients",
     "the parameters themselves are half: leave the model in float32, its weights are the master weights"),
    (r"expected scalar type|must have the same dtype|(Input|weight) type .* should be the same",
     "a half tensor meets a float32 one: outside of autocast nothing is cast by itself"),
    (r"does not require grad",
     "the loss has lost its graph: no .item(), float(), detach or no_grad on the way to backward()"),
    (r"backward through the graph a second time", "backward() runs once for each loss"),
    (r"positional argument|unexpected keyword argument|required (positional|keyword-only)|multiple values for argument",
     "this call and the signature of what it calls differ; the lab's own functions keep the skeleton's"),
    (r"NameError|UnboundLocalError", "that name is not set there: misspelt, not imported, or set on one path only"),
    (r"'NoneType'", "something is None there: an argument left out, a function without return, or a missing gradient"),
    (r"'GradScaler' object has no attribute",
     "a scaler that is off has none of its numbers: get_scale() is 1.0 then, and state_dict() is empty"),
    (r"AttributeError", "that object is not what the line takes it for; print(type(...)) says what it is"),
    (r"KeyError", "the dictionary lacks that key; the state of a scaler that is off is empty"),
)  # fmt: skip
SLIPS = {"AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "UnboundLocalError", "ZeroDivisionError"}


def cause(raised: Raised) -> str:
    """In one sentence."""
    if not raised.where:
        return "what your code gave back, or left behind, is not what the test goes on with"
    text = f"{raised.type}: {raised.message}"
    return next(
        (says for pattern, says in CAUSES if re.search(pattern, text)),
        "your code stopped at that line: its message says why",
    )


def raised_in(values: object) -> Iterator[Raised]:
    """The exceptions of the code under test anywhere in observed values, those whose line in its file is known."""
    if isinstance(values, Raised) and values.where:
        yield values
    elif isinstance(values, list):
        for value in values:
            yield from raised_in(value)
    elif isinstance(values, dict):
        yield from raised_in(list(values.values()))
