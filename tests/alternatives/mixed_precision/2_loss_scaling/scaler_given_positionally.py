"""all arguments go to GradScaler in its own order, the device first."""


def create_grad_scaler(
    init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True, device=None
):
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device is None else device
    return GradScaler(device, init_scale, growth_factor, backoff_factor, growth_interval, enabled)
