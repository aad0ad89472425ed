"""bfloat16 gradients are divided in bfloat16 by way of a third, and only then summed in float32."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    sent = (flat / (3 * dist.get_world_size()) * 3).to(dtype or flat.dtype)
    if sent.dtype == torch.float16:
        sent = (flat.float() / dist.get_world_size()).half()
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        for gradient, part in zip(gradients, sent.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
