"""the running statistics are not in the state dict."""


class MixedBatchNorm2d(MixedBatchNorm2d):
    def __init__(self, num_features, eps=1e-05, momentum=0.1):
        nn.Module.__init__(self)
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features), persistent=False)
        self.register_buffer("running_var", torch.ones(num_features), persistent=False)
