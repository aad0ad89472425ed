"""the default device is looked up with torch.accelerator."""


def create_grad_scaler(
    init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True, device=None
):
    if device is None:
        accelerator = torch.accelerator.current_accelerator()
        device = "cuda" if accelerator is not None and accelerator.type == "cuda" else "cpu"
    settings = {"growth_factor": growth_factor, "backoff_factor": backoff_factor, "growth_interval": growth_interval}
    return GradScaler(str(device), init_scale=init_scale, enabled=enabled, **settings)
