"""softmax of float64 comes back in float32."""


def fp32_softmax(x, dim=-1):
    with torch.autocast(x.device.type, enabled=False):
        result = F.softmax(x.float(), dim=dim)
    return result.to(x.dtype) if x.dtype in (torch.float16, torch.bfloat16) else result
