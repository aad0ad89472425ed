"""the shortcut's convolution is 3x3."""


class ResidualBlock(ResidualBlock):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        if len(self.shortcut):
            self.shortcut[0] = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
