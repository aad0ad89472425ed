"""the initial scale is given as the first argument of GradScaler, which is the device."""


def create_grad_scaler(
    init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True, device=None
):
    return GradScaler(
        init_scale,
        growth_factor=growth_factor,
        backoff_factor=backoff_factor,
        growth_interval=growth_interval,
        enabled=enabled,
    )
