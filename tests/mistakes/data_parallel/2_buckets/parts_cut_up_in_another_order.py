"""the flat tensor is cut up in the order of the parameters, not in that in which it was put together."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    sent_as = dtype or flat.dtype
    sent = (flat.to(torch.promote_types(flat.dtype, sent_as)) / dist.get_world_size()).to(sent_as)
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        backwards = gradients[::-1]
        for gradient, part in zip(backwards, sent.split([g.numel() for g in backwards]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
