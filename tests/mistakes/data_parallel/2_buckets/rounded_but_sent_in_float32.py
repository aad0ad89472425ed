"""gradients are rounded to `dtype` and then sent in float32: all of the rounding, none of the saving."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    wide = torch.promote_types(flat.dtype, dtype or flat.dtype)
    sent = (flat.to(wide) / dist.get_world_size()).to(dtype or flat.dtype).to(wide)
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        mean = sent.to(dtype or flat.dtype)
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
