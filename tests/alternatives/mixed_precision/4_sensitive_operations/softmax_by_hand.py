"""softmax is written out in float32."""


def fp32_softmax(x, dim=-1):
    logits = x.to(torch.float32)
    exponentials = (logits - logits.max(dim=dim, keepdim=True).values).exp()
    return (exponentials / exponentials.sum(dim=dim, keepdim=True)).type_as(x)
