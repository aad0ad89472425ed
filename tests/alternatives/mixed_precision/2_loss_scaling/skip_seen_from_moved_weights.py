"""a step is seen from weights that moved."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    _check_limit(max_grad_norm)

    def values():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        return [(p.full_tensor() if hasattr(p, "full_tensor") else p).detach().clone() for p in parameters]

    before = values()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.tensor(_total_norm(_gradients(optimizer)))
    if max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(_parameters(optimizer), max_grad_norm, norm)
    if scaler.is_enabled() or math.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()
    return not all(map(torch.equal, before, values()))
