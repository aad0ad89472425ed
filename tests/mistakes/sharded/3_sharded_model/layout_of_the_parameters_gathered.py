"""a weight that lay in memory by columns gets its rows as columns."""


class _Flat(_Flat):
    def __init__(self, parameters, *args):
        by_columns = [one.dim() == 2 and not one.is_contiguous() for one in parameters]
        super().__init__(parameters, *args)
        for one, turned in zip(parameters, by_columns, strict=True):
            if turned:
                one.data = one.data.view(one.shape[::-1]).mT
