"""reduce_dtype is used only where there is a param_dtype; without one, gradients are sent in their own dtype."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        super().__init__(parameters, param_dtype, reduce_dtype if param_dtype else parameters[0].dtype)
