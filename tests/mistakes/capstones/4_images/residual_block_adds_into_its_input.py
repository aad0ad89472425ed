"""the sum is written into x."""


class ResidualBlock(ResidualBlock):
    def forward(self, x):
        hidden = F.relu(self.norm1(self.conv1(x)))
        shortcut = self.shortcut(x)
        return F.relu(shortcut.add_(self.norm2(self.conv2(hidden))))
