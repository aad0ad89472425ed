"""the convolutions pad with the values at the edge."""


class ResidualBlock(ResidualBlock):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__(in_channels, out_channels, stride)
        self.conv1.padding_mode = self.conv2.padding_mode = "replicate"
        self.conv1._reversed_padding_repeated_twice = self.conv2._reversed_padding_repeated_twice = [1] * 4
