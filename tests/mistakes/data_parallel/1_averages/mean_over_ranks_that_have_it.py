"""a gradient is divided by the number of ranks that have one."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            having = torch.tensor(float(parameter.grad is not None))
            dist.all_reduce(having)
            gradient = _gradient(parameter)
            gradient /= having.clamp(min=1.0).to(gradient.dtype)
            dist.all_reduce(gradient)
