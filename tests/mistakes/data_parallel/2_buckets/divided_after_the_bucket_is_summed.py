"""the sum in the dtype that is sent comes first, and the division after it: float16 overflows."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    sent = flat.to(dtype or flat.dtype)
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        mean = sent.float() / dist.get_world_size()
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
