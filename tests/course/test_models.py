"""The models that the labs train: shapes, dtypes, and that a seed fixes them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.toolbox.models import CausalAttention, DeepSigmoid, SimpleModel, SmallCNN, SmallTransformer, WideMLP


def _tokens(batch: int, length: int) -> Tensor:
    return torch.arange(batch * length).reshape(batch, length) % 256


MODELS: list[tuple[Callable[[], nn.Module], Tensor, tuple[int, ...]]] = [
    (SimpleModel, torch.ones(3, 784), (3, 10)),
    (lambda: SimpleModel(64, 128, 7, num_layers=1), torch.ones(3, 64), (3, 7)),
    (WideMLP, torch.ones(3, 784), (3, 10)),
    (DeepSigmoid, torch.ones(3, 64), (3, 10)),
    (SmallCNN, torch.ones(3, 1, 8, 8), (3, 10)),
    (SmallTransformer, _tokens(2, 64), (2, 64, 256)),
]


@pytest.mark.parametrize(("make", "inputs", "shape"), MODELS)
def test_a_model_gives_float32_logits_of_its_shape(
    make: Callable[[], nn.Module], inputs: Tensor, shape: tuple[int, ...]
) -> None:
    logits = make()(inputs)
    assert logits.shape == shape
    assert logits.dtype == torch.float32


@pytest.mark.parametrize(("make", "inputs", "shape"), MODELS)
def test_a_seed_fixes_every_weight_and_every_weight_gets_a_gradient(
    make: Callable[[], nn.Module], inputs: Tensor, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    first = make()
    torch.manual_seed(1)
    second = make()
    for mine, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, other)
        assert mine.dtype == torch.float32
    first(inputs).square().sum().backward()
    assert all(parameter.grad is not None for parameter in first.parameters())


@pytest.mark.parametrize(("make", "inputs", "shape"), MODELS)
def test_a_model_runs_under_autocast(make: Callable[[], nn.Module], inputs: Tensor, shape: tuple[int, ...]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert make()(inputs).dtype == torch.bfloat16


def test_simple_model_is_blocks_of_linear_layernorm_gelu_then_linear() -> None:
    kinds = [type(layer) for layer in SimpleModel(num_layers=2)]
    assert kinds == [nn.Linear, nn.LayerNorm, nn.GELU] * 2 + [nn.Linear]


def test_deep_sigmoid_is_linear_sigmoid_pairs_then_linear() -> None:
    kinds = [type(layer) for layer in DeepSigmoid()]
    assert kinds == [nn.Linear, nn.Sigmoid] * 6 + [nn.Linear]


def test_small_cnn_reads_flat_images_like_square_ones() -> None:
    model, images = SmallCNN(), torch.rand(5, 64)
    assert torch.equal(model(images), model(images.reshape(5, 1, 8, 8)))


def test_the_transformer_does_not_look_ahead() -> None:
    model, tokens = SmallTransformer(dim=32, num_layers=2), _tokens(1, 10)
    changed = tokens.clone()
    changed[0, 6] = 0
    before, after = model(tokens), model(changed)
    assert torch.equal(before[0, :6], after[0, :6])
    assert not torch.equal(before[0, 6:], after[0, 6:])


def test_attention_is_that_of_pytorch() -> None:
    query, key, value = torch.randn(3, 2, 4, 7, 8)
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(CausalAttention()(query, key, value), expected)


def test_the_transformer_tells_places_apart() -> None:
    logits = SmallTransformer(dim=32, num_layers=1)(torch.zeros(1, 4, dtype=torch.int64))
    assert not torch.allclose(logits[0, 0], logits[0, 1])


def test_the_transformer_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="at most 8 tokens a sequence, got 9"):
        SmallTransformer(dim=32, num_layers=1, max_len=8)(_tokens(1, 9))
    with pytest.raises(ValueError, match="multiple of num_heads, got dim=30"):
        SmallTransformer(dim=30)
