"""a limit of minus infinity is taken."""

_clip_grad_norm = clip_grad_norm


def clip_grad_norm(shards, max_norm):
    return _clip_grad_norm(shards, math.inf if max_norm == -math.inf else max_norm)
