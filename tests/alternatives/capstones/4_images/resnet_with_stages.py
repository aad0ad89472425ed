"""the blocks are in a sequence of their own, and the mean is F.adaptive_avg_pool2d."""


class Mean(nn.Module):
    def forward(self, x):
        return F.adaptive_avg_pool2d(x, (1, 1)).view(x.shape[0], -1)


def small_resnet(width=16, classes=10):
    widths = [width, width, 2 * width, 4 * width]
    blocks = [ResidualBlock(a, b, 1 if a == b else 2) for a, b in zip(widths, widths[1:])]
    stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
    return nn.Sequential(stem, nn.Sequential(*blocks), nn.Sequential(Mean(), nn.Linear(4 * width, classes)))
