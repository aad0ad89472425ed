"""The small networks that the labs train: float32 weights, PyTorch's default initialisation (fixed by manual_seed)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SimpleModel(nn.Sequential):
    """`num_layers` blocks of (Linear, LayerNorm, GELU), then a Linear: (N, input_dim) -> (N, output_dim) logits."""

    def __init__(self, input_dim: int = 784, hidden_dim: int = 256, output_dim: int = 10, num_layers: int = 3) -> None:
        layers: list[nn.Module] = []
        width = input_dim
        for _ in range(num_layers):
            layers += [nn.Linear(width, hidden_dim), nn.LayerNorm(hidden_dim), nn.GELU()]
            width = hidden_dim
        super().__init__(*layers, nn.Linear(width, output_dim))


class WideMLP(nn.Sequential):
    """784-1024-1024-10 with GELU: (N, 784) -> (N, 10) logits.

    Nearly all of its memory is weights, gradients and optimizer state, which autocast leaves in float32.
    """

    def __init__(self) -> None:
        super().__init__(nn.Linear(784, 1024), nn.GELU(), nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 10))


class DeepSigmoid(nn.Sequential):
    """`depth` x (Linear, Sigmoid), then a Linear: (N, input_dim) -> (N, output_dim) logits.

    A sigmoid's slope is at most 1/4: gradients shrink from layer to layer, and without loss scaling they underflow in
    float16.
    """

    def __init__(self, input_dim: int = 64, width: int = 64, depth: int = 6, output_dim: int = 10) -> None:
        layers: list[nn.Module] = []
        size = input_dim
        for _ in range(depth):
            layers += [nn.Linear(size, width), nn.Sigmoid()]
            size = width
        super().__init__(*layers, nn.Linear(size, output_dim))


class SmallCNN(nn.Module):
    """Two 3x3 convolutions with ReLU, then a Linear: (N, 1, 8, 8) or (N, 64) images -> (N, output_dim) logits."""

    def __init__(self, channels: int = 16, output_dim: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.head = nn.Linear(channels * 8 * 8, output_dim)

    def forward(self, images: Tensor) -> Tensor:
        hidden = images.reshape(-1, 1, 8, 8)
        hidden = F.relu(self.conv1(hidden))
        hidden = F.relu(self.conv2(hidden))
        return self.head(hidden.flatten(start_dim=1))


class CausalAttention(nn.Module):
    """`F.scaled_dot_product_attention(query, key, value, is_causal=True)`, (N, heads, T, size) each.

    On a CPU from plain operations, which are faster there: the backward pass of PyTorch's fused kernel (2.13) takes 5
    times as long in bfloat16 as in float32, and hides what 16 bits gain in all the rest.
    """

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if query.is_cuda:
            return F.scaled_dot_product_attention(query, key, value, is_causal=True)
        later = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).triu(diagonal=1)
        scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        return torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1) @ value


class TransformerBlock(nn.Module):
    """One pre-norm block with causal self-attention and a GELU MLP of 4 x dim: (N, T, dim) -> (N, T, dim)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attention = CausalAttention()
        self.projection = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self._attend(self.attention_norm(hidden))
        return hidden + self.mlp(self.mlp_norm(hidden))

    def _attend(self, hidden: Tensor) -> Tensor:
        batch, length, dim = hidden.shape
        heads = self.qkv(hidden).view(batch, length, 3, self.num_heads, dim // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, dim / heads)
        mixed = self.attention(query, key, value)
        return self.projection(mixed.transpose(1, 2).reshape(batch, length, dim))


class SmallTransformer(nn.Module):
    """A causal language model: int64 tokens (N, T) below `vocab_size` -> (N, T, vocab_size) logits.

    Raises ValueError if `dim` does not divide into `num_heads`, or if T is above `max_len`.
    """

    def __init__(
        self, vocab_size: int = 256, dim: int = 256, num_layers: int = 4, num_heads: int = 4, max_len: int = 64
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim must be a multiple of num_heads, got dim={dim} and num_heads={num_heads}")
        self.max_len = max_len
        self.token_embedding = nn.Embedding(vocab_size, dim)
        self.position_embedding = nn.Embedding(max_len, dim)
        self.blocks = nn.Sequential(*(TransformerBlock(dim, num_heads) for _ in range(num_layers)))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length > self.max_len:
            raise ValueError(f"at most {self.max_len} tokens a sequence, got {length}")
        positions = torch.arange(length, device=tokens.device)
        hidden = self.token_embedding(tokens) + self.position_embedding(positions)
        return self.head(self.norm(self.blocks(hidden)))
