"""the module is wrapped in the lab's own DataParallel."""


def wrap_ddp(module, compress=False, **options):
    return DataParallel(module, dtype=torch.bfloat16 if compress else None)
