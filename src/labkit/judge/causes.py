"""The likely cause of an exception in the code under test, told to a student instead of what the test is about."""

import re
from collections.abc import Iterator

from labkit.observe.values import Raised

# A pattern of "Type: message", and what is behind it; the first that is found counts.
CAUSES = (
    (r"unscale_\(\) has already been called|step\(\) has already been called",
     "one is allowed between two update(): called twice in this step, or update() left out in an earlier one?"),
    (r"unscale_\(\) is being called after step\(\)",
     "the step before was not ended by update(): call it in every step, skipped or not"),
    (r"No inf checks were recorded",
     "the scaler has seen no gradient: first backward() of the scaled loss, then unscale_ or step, then one update()"),
    (r"Attempting to unscale FP16 gradients",
     "the parameters themselves are half: leave the model in float32, its weights are the master weights"),
    (r"expected scalar type|must have the same dtype|(Input|weight) type .* should be the same",
     "a half tensor meets a float32 one: outside of autocast nothing is cast by itself"),
    (r"does not require grad",
     "the loss has lost its graph: no .item(), float(), detach or no_grad on the way to backward()"),
    (r"Expected more than 1 value per channel when training",
     "a batch norm in train mode has met a batch of one sample: where the model is evaluated, set eval mode first"),
    (r"FSDP needs a non-CPU accelerator",
     "that is the older FSDP, which needs an accelerator; fully_shard, FSDP2, shards on a CPU too"),
    (r"backward through the graph a second time", "backward() runs once for each loss"),
    (r"positional argument|unexpected keyword argument|required (positional|keyword-only)|multiple values for argument",
     "this call and the signature of what it calls differ; the lab's own functions keep the skeleton's"),
    (r"NameError|UnboundLocalError", "that name is not set there: misspelt, not imported, or set on one path only"),
    (r"NoneType", "something is None there: an argument left out, a function without return, or a missing gradient"),
    (r"'GradScaler' object has no attribute '_",
     "a scaler that is off has none of its numbers: get_scale() is 1.0 then, and state_dict() is empty"),
    (r"has no attribute '\w+'; it has '", "that name is not there, but one like it is: misspelt?"),
    (r"'\w*Trainer' object has no attribute", "it has no such attribute: is it set in __init__, on self?"),
    (r"'dict' object has no attribute", "a dict stands there: load_state_dict left out, or a key not in brackets?"),
    (r"cannot unpack", "no tuple stands there: a method without self, arguments in another order, or a single value?"),
    (r"AttributeError", "that object is not what the line takes it for; print(type(...)) says what it is"),
    (r"KeyError", "the dictionary lacks that key: was it put in? (The state of a scaler that is off is empty.)"),
)  # fmt: skip
# The same for an exception that arose after the code under test had returned, where a test goes on with what it gave.
CAUSES_AFTERWARDS = (
    (r"NoneType", "None stands where a value is asked for: a path without return, or an attribute that is None?"),
    (r"positional argument|unexpected keyword argument|required (positional|keyword-only)|multiple values for argument",
     "the tests call your functions with the skeleton's arguments: keep its signature"),
    (r"UnpicklingError", "a checkpoint holds states, not objects: state_dict() of the scaler, not the scaler"),
    (r"'(Tensor|Parameter|tuple|list|dict|str|bool|int|float)' object",
     "what came back is of another type than the skeleton's: compare with its -> and its docstring"),
    (r"object has no attribute", "the tests ask for that name: misspelt, or not set in __init__?"),
    (r"died without an answer", "your code ended Python itself there"),
    (r"does not require grad",
     "what came back has lost its graph: no detach, .data, .item(), float() or no_grad on the way"),
    (r"unpack", "another number of values came back than the skeleton's return has"),
)  # fmt: skip
SLIPS = {"AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "UnboundLocalError", "ZeroDivisionError"}


def cause(raised: Raised) -> str:
    """In one sentence."""
    text = f"{raised.type}: {raised.message}"
    if raised.where:
        causes, else_says = CAUSES, "your code stopped at that line: its message says why"
    else:
        causes = CAUSES_AFTERWARDS
        else_says = "what your code gave back, or left behind, is not what the test goes on with"
    return next((says for pattern, says in causes if re.search(pattern, text)), else_says)


def raised_in(values: object) -> Iterator[Raised]:
    """The exceptions of the code under test anywhere in observed values, those whose line in its file is known."""
    if isinstance(values, Raised) and values.where:
        yield values
    elif isinstance(values, list):
        for value in values:
            yield from raised_in(value)
    elif isinstance(values, dict):
        yield from raised_in(list(values.values()))
