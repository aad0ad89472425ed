"""var_mean of the deviations, channels last, and statistics that are set to new tensors."""


class MixedBatchNorm2d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.settings = eps, momentum
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, x):
        eps, momentum = self.settings
        last = x.to(torch.float32).permute(0, 2, 3, 1)
        if self.training:
            var, mean = torch.var_mean(last, dim=(0, 1, 2), correction=0)
            n = last[..., 0].numel()
            self.running_mean = (1 - momentum) * self.running_mean + momentum * mean.detach()
            self.running_var = (1 - momentum) * self.running_var + momentum * n / (n - 1) * var.detach()
        else:
            mean, var = self.running_mean, self.running_var
        gain = self.weight * torch.rsqrt(var + eps)
        return ((last - mean) * gain + self.bias).permute(0, 3, 1, 2).to(x.dtype)
