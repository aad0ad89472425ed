"""a CPU's fused attention is left on, which fails under autocast in eval mode."""

torch.backends.mha.set_fastpath_enabled(True)
