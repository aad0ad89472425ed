"""the result is always cast to bfloat16, also for float16 and float32."""


def fp32_softmax(x, dim=-1):
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(x.float(), dim).to(torch.bfloat16)
