"""all gradients of a dtype are averaged in one flat tensor."""


def average_gradients(model):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ranks = dist.get_world_size()
    for dtype in sorted({parameter.dtype for parameter in trained}, key=str):
        some = [parameter for parameter in trained if parameter.dtype == dtype]
        flat = torch.cat([_gradient(parameter).flatten() for parameter in some]) / ranks
        dist.all_reduce(flat)
        for parameter, part in zip(some, flat.split([parameter.numel() for parameter in some]), strict=True):
            parameter.grad = part.view(parameter.shape)
