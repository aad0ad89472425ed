"""a bucket takes its gradients by view, which raises for those that are not contiguous."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.view(-1) for gradient in gradients])
    sent = flat.to(torch.promote_types(flat.dtype, dtype or flat.dtype)) / dist.get_world_size()
    sent = sent.to(dtype or flat.dtype)
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        for gradient, part in zip(gradients, sent.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
