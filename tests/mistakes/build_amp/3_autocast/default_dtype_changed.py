"""a region sets the default dtype, so that new tensors are half."""


class Autocast(Autocast):
    def __enter__(self):
        self._default = torch.get_default_dtype()
        if self._enabled:
            torch.set_default_dtype(self._dtype)
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        torch.set_default_dtype(self._default)
