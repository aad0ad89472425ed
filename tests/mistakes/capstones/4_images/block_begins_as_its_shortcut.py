"""the weight of the second norm begins at 0, so that a new block gives its shortcut."""


class ResidualBlock(ResidualBlock):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        nn.init.zeros_(self.norm2.weight)
