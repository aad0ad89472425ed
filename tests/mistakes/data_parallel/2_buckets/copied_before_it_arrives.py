"""gradients are copied back at once, without waiting for the sum."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    sent_as = dtype or flat.dtype
    sent = (flat.to(torch.promote_types(flat.dtype, sent_as)) / dist.get_world_size()).to(sent_as)
    kept = sent.clone()
    work = dist.all_reduce(sent, async_op=True)
    for gradient, part in zip(gradients, kept.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))

    return work.wait
