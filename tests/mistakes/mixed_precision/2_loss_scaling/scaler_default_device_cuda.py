"""GradScaler is left at its default device, cuda, and disables itself on a CPU."""


def create_grad_scaler(
    init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True, device=None
):
    return GradScaler(
        device=device or "cuda",
        init_scale=init_scale,
        growth_factor=growth_factor,
        backoff_factor=backoff_factor,
        growth_interval=growth_interval,
        enabled=enabled,
    )
