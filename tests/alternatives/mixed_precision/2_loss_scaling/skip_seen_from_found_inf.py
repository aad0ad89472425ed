"""a skip is seen from what the scaler itself found; without a scaler the norm tells."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if scaler.is_enabled():
        found = scaler._per_optimizer_states[id(optimizer)]["found_inf_per_device"].values()
        stepped = sum(value.item() for value in found) == 0
    else:
        stepped = math.isfinite(norm)
    if stepped and max_grad_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)
    if stepped or scaler.is_enabled():
        scaler.step(optimizer)
    scaler.update()
    return stepped
