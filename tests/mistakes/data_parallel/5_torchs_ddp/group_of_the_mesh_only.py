"""the hook gets the group of the option device_mesh, and the default group where DDP has another."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    mesh = options.get("device_mesh")
    if compress:
        model.register_comm_hook(mesh and mesh.get_group(), compress_gradients)
    return model
