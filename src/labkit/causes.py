"""The likely cause of an exception in the code under test, told to a student instead of what the test is about."""

import re
from collections.abc import Iterator

from labkit.values import Raised

# A pattern of "Type: message", and what is behind it; the first that is found counts.
CAUSES = (
    (r"unscale_\(\) has already been called|step\(\) has already been called",
     "the scaler takes one unscale_ and one step in each step: is update() reached in every step, a skipped one too?"),
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
     "this call and the function's signature differ; the signatures of the lab are those of the skeleton"),
    (r"NameError|UnboundLocalError", "that name is not set there: misspelt, not imported, or set on one path only"),
    (r"'NoneType'", "something is None there: a function without a return, or a gradient that backward() never made"),
    (r"AttributeError", "that object is not what the line takes it for; print(type(...)) says what it is"),
    (r"KeyError", "the dictionary lacks that key; the state of a scaler that is off is empty"),
)  # fmt: skip
SLIPS = {"AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "UnboundLocalError", "ZeroDivisionError"}


def cause(raised: Raised) -> str:
    """In one sentence."""
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
