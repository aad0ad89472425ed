"""the relu comes before the sum, and none after it."""


class ResidualBlock(ResidualBlock):
    def forward(self, x):
        hidden = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(hidden))) + self.shortcut(x)
