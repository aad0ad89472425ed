"""the network is a class with names of its own, and makes its last layer first."""


class ResNet(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.classifier = nn.Linear(4 * width, classes)
        self.stage3 = ResidualBlock(2 * width, 4 * width, 2)
        self.stage2 = ResidualBlock(width, 2 * width, 2)
        self.stage1 = ResidualBlock(width, width)
        self.bn = nn.BatchNorm2d(width)
        self.stem = nn.Conv2d(1, width, 3, 1, 1, bias=False)

    def forward(self, images):
        hidden = torch.relu(self.bn(self.stem(images)))
        for stage in (self.stage1, self.stage2, self.stage3):
            hidden = stage(hidden)
        return self.classifier(hidden.mean(dim=(2, 3)))


def small_resnet(width=16, classes=10):
    return ResNet(width, classes)
