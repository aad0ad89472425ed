"""torch's parameters_to_vector flattens the gradients, and raises for those that are not contiguous."""


def average_gradients(model):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ranks = dist.get_world_size()
    for dtype in sorted({parameter.dtype for parameter in trained}, key=str):
        some = [parameter for parameter in trained if parameter.dtype == dtype]
        flat = nn.utils.parameters_to_vector([_gradient(parameter) for parameter in some]) / ranks
        dist.all_reduce(flat)
        nn.utils.vector_to_parameters(flat, [parameter.grad for parameter in some])
