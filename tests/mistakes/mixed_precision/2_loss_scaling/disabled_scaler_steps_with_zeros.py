"""without a scaler a bad step is taken with zeroed gradients instead of being skipped, so momentum decays."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    finite = math.isfinite(_on_all_ranks(norm))
    if finite and max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
    if not finite and not scaler.is_enabled():
        for gradient in gradients:
            gradient.zero_()
    scaler.step(optimizer)
    scaler.update()
    return finite
