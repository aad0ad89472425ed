"""gradients are divided in float32 where another dtype is sent, also float64 ones that are beyond it."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    wide = flat if dtype in (None, flat.dtype) else flat.float()
    sent = (wide / dist.get_world_size()).to(dtype or flat.dtype)
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        for gradient, part in zip(gradients, sent.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
