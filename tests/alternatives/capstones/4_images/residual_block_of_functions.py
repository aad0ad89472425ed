"""convolutions and norms are called by torch.nn.functional."""


class ResidualBlock(ResidualBlock):
    def _norm(self, x, norm):
        return F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, self.training, norm.momentum, norm.eps
        )

    def forward(self, x):
        hidden = F.conv2d(x, self.conv1.weight, stride=self.conv1.stride, padding=1)
        hidden = F.conv2d(self._norm(hidden, self.norm1).relu(), self.conv2.weight, padding=1)
        if len(self.shortcut):
            x = self._norm(F.conv2d(x, self.shortcut[0].weight, stride=self.conv1.stride), self.shortcut[1])
        return (self._norm(hidden, self.norm2) + x).clamp(min=0)
