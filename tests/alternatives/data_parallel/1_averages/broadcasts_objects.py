"""the source's tensors travel as objects, and are copied in place."""


def broadcast_model(model, source=0):
    mine = [*model.parameters(), *model.buffers()]
    sent = [[one.detach() for one in mine], [one.requires_grad for one in mine]]
    dist.broadcast_object_list(sent, source)
    alike = [(one.shape, one.dtype) for one in mine] == [(one.shape, one.dtype) for one in sent[0]]
    alike = alike and sent[1] == [one.requires_grad for one in mine]
    answers = [None] * dist.get_world_size()
    dist.all_gather_object(answers, alike)
    if not all(answers):
        raise ValueError(f"rank {answers.index(False)} differs from the source, rank {source}")
    for one, value in zip(mine, sent[0], strict=True):
        one.data.copy_(value)
