"""the scaler's private `_found_inf_per_device` is read, which a disabled scaler does not have."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    found_inf = sum(found.item() for found in scaler._found_inf_per_device(optimizer).values())
    scaler.step(optimizer)
    scaler.update()
    return found_inf == 0
