"""the pooled features are squeezed, and a batch of one image loses its first dimension."""


class _Squeeze(nn.Module):
    def forward(self, x):
        return x.squeeze()


def small_resnet(width=16, classes=10):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        ResidualBlock(width, width),
        ResidualBlock(width, 2 * width, stride=2),
        ResidualBlock(2 * width, 4 * width, stride=2),
        nn.AdaptiveAvgPool2d(1),
        _Squeeze(),
        nn.Linear(4 * width, classes),
    )
