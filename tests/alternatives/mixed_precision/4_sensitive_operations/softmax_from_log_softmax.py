"""softmax is the exponential of log_softmax in float32."""


def fp32_softmax(x, dim=-1):
    return F.log_softmax(x.float(), dim=dim).exp().to(x.dtype)
