"""nn.BatchNorm2d with a cast before it and one after it; it counts batches too."""


class MixedBatchNorm2d(nn.BatchNorm2d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps=eps, momentum=momentum)

    def forward(self, x):
        return super().forward(x.float()).to(x.dtype)
