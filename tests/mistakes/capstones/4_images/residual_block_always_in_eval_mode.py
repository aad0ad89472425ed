"""the batch norms use the running statistics in train mode as well."""


class ResidualBlock(ResidualBlock):
    def forward(self, x):
        self.norm1.eval()
        self.norm2.eval()
        hidden = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(hidden)) + self.shortcut(x))
