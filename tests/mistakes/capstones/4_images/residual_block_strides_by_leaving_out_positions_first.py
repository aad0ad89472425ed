"""x loses its positions before the convolutions, which then have no stride."""


class ResidualBlock(ResidualBlock):
    def forward(self, x):
        step = self.conv1.stride[0]
        taken = F.relu(self.norm1(F.conv2d(x[:, :, ::step, ::step], self.conv1.weight, padding=1)))
        return F.relu(self.norm2(self.conv2(taken)) + self.shortcut(x))
