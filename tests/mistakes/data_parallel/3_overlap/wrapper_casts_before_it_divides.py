"""the wrapper casts gradients to what is sent and divides then: float16 overflows where the mean does not."""


def _start_average(parameters, dtype):
    gradients = [_gradient(parameter) for parameter in parameters]
    sent = torch.cat([gradient.reshape(-1) for gradient in gradients]).to(dtype)
    sent /= dist.get_world_size()
    work = dist.all_reduce(sent, async_op=True)

    def finish():
        work.wait()
        for gradient, part in zip(gradients, sent.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    return finish
