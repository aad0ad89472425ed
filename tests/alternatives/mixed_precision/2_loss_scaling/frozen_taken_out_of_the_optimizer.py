"""frozen parameters are taken out of the optimizer's groups during the step, so that it cannot touch them."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)
    groups = [group["params"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["params"] = [parameter for parameter in group["params"] if parameter.requires_grad]
    try:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        gradients = _gradients(optimizer)
        norm = _total_norm(gradients)
        finite = math.isfinite(norm)
        if finite:
            if max_grad_norm is not None and norm > max_grad_norm:
                for gradient in gradients:
                    gradient.mul_(max_grad_norm / norm)
            scaler.step(optimizer)
        scaler.update()
        return finite
    finally:
        for group, parameters in zip(optimizer.param_groups, groups, strict=True):
            group["params"] = parameters
