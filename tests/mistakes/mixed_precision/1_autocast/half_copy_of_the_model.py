"""a half-precision copy of the model is run, so no gradient reaches the model's own parameters."""

import copy


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    half_model = copy.deepcopy(model).to(dtype)
    return half_model(inputs.to(dtype) if inputs.is_floating_point() else inputs)
