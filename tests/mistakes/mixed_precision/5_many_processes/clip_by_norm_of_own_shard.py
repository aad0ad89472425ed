"""each rank clips by the norm of its own shard of the gradients."""


def scaled_backward(loss, scaler, optimizer, model, max_grad_norm=None):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = _on_all_ranks(torch.nn.utils.get_total_norm(gradients))
    finite = math.isfinite(norm)
    if finite:
        if max_grad_norm is not None:
            local = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
            own = torch.nn.utils.get_total_norm(local)
            for gradient in local:
                gradient.mul_((max_grad_norm / (own + 1e-6)).clamp(max=1.0))
        scaler.step(optimizer)
    scaler.update()
    return finite
