"""a relu comes after the shortcut's norm."""


class ResidualBlock(ResidualBlock):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        if len(self.shortcut):
            self.shortcut.append(nn.ReLU())
