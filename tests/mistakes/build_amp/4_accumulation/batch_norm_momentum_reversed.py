"""momentum is taken for the share that stays."""


class MixedBatchNorm2d(MixedBatchNorm2d):
    def forward(self, x):
        shape = (1, -1, 1, 1)
        wide = x.float()
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean = wide.mean(dim=(0, 2, 3))
            var = wide.var(dim=(0, 2, 3), correction=0)
            count = x.numel() // x.shape[1]
            with torch.no_grad():
                self.running_mean.lerp_(mean, 1 - self.momentum)
                self.running_var.lerp_(var * count / (count - 1), 1 - self.momentum)
        normed = (wide - mean.view(shape)) / torch.sqrt(var.view(shape) + self.eps)
        return (normed * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)
