"""the mean is over windows of 7x7, so that only images of 28x28 fit."""


def small_resnet(width: int = 16, classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        ResidualBlock(width, width),
        ResidualBlock(width, 2 * width, stride=2),
        ResidualBlock(2 * width, 4 * width, stride=2),
        nn.AvgPool2d(7),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )
