"""the batch norms have a momentum of 0.01."""


class ResidualBlock(ResidualBlock):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        self.norm1.momentum = self.norm2.momentum = 0.01
