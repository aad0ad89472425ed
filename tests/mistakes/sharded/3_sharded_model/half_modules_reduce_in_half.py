"""a bfloat16 module without a param_dtype sends its gradients in bfloat16, whatever reduce_dtype says."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        half = param_dtype is None and parameters[0].dtype == torch.bfloat16
        super().__init__(parameters, param_dtype, torch.bfloat16 if half else reduce_dtype)
