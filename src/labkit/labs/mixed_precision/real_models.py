"""ResNet-50, BERT-base and GPT-2 small in a few lines each: the shapes of their papers, no pretrained weights.

They leave dropout out, as a training on much data does. Where it is on, it keeps a mask of a byte an element besides.
Smaller ones by other arguments have the same operations.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _conv(channels: int, width: int, size: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the image's size but for `stride`, and its batch norm."""
    return [nn.Conv2d(channels, width, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(width)]


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut: (N, channels, H, W) -> (N, 4 x width, H / stride, ...)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_conv(channels, width, 1),
            nn.ReLU(),
            *_conv(width, width, 3, stride),
            nn.ReLU(),
            *_conv(width, 4 * width, 1),
        )
        same = stride == 1 and channels == 4 * width
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv(channels, 4 * width, 1, stride))

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.branch(images) + self.shortcut(images))


class ResNet(nn.Sequential):
    """Images (N, 3, H, W) -> (N, classes) logits; by default ResNet-50 (He et al., 1512.03385, table 1).

    As most code has it, the stride of a block is in its 3x3 convolution; in the paper it is in the first 1x1.
    """

    def __init__(self, width: int = 64, depths: Sequence[int] = (3, 4, 6, 3), classes: int = 1000) -> None:
        layers = [*_conv(3, width, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)]
        channels = width
        for stage, depth in enumerate(depths):
            for block in range(depth):
                layers.append(Bottleneck(channels, width << stage, stride=2 if stage and not block else 1))
                channels = 4 * (width << stage)
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class Block(nn.Module):
    """Attention and an MLP of 4 x dim, each beside a residual: (N, T, dim) -> (N, T, dim).

    A causal block norms before each of the two, as GPT-2 does; any other after the sum, as BERT does.
    """

    def __init__(self, dim: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))

    def forward(self, hidden: Tensor) -> Tensor:
        branches: tuple[Callable[[Tensor], Tensor], ...] = (self._attend, self.mlp)
        for norm, branch in zip(self.norms, branches, strict=True):
            hidden = hidden + branch(norm(hidden)) if self.causal else norm(hidden + branch(hidden))
        return hidden

    def _attend(self, hidden: Tensor) -> Tensor:
        query, key, value = self.qkv(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.projection(mixed.transpose(1, 2).flatten(2))


class Bert(nn.Module):
    """Tokens (N, T) -> (N, classes) logits of whole texts; by default BERT-base (Devlin et al., 1810.04805, section 3).

    The texts are full: no padding, no mask; each is one segment.
    """

    def __init__(
        self,
        vocabulary: int = 30522,
        length: int = 512,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.tokens, self.positions, self.segments = (nn.Embedding(rows, dim) for rows in (vocabulary, length, 2))
        self.norm = nn.LayerNorm(dim)
        self.blocks = nn.Sequential(*(Block(dim, heads, causal=False) for _ in range(depth)))
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, classes))

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.tokens(tokens) + self.positions(places) + self.segments(torch.zeros_like(tokens))
        return self.head(self.blocks(self.norm(hidden))[:, 0])


class GPT2(nn.Module):
    """Tokens (N, T) -> (N, T, vocabulary) logits of the next token; by default GPT-2 small (Radford et al., 2019).

    The last layer has the weights of the token embedding.
    """

    def __init__(
        self, vocabulary: int = 50257, length: int = 1024, dim: int = 768, depth: int = 12, heads: int = 12
    ) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, dim), nn.Embedding(length, dim)
        self.blocks = nn.Sequential(*(Block(dim, heads, causal=True) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.blocks(self.tokens(tokens) + self.positions(places))
        return F.linear(self.norm(hidden), self.tokens.weight)
