"""of an old optimizer, the first group of parameters alone is looked at."""


@functools.cache
def _refuse_old_optimizers():
    def check(optimizer, args, kwargs):
        if any(hasattr(one, "in_sharded_model") for one in optimizer.param_groups[0]["params"]):
            raise RuntimeError("this optimizer has parameters that were sharded: make it of the model's shards()")

    register_optimizer_step_pre_hook(check)
