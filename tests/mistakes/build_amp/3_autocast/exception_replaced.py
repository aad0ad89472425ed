"""an exception leaves the region as another one."""


class Autocast(Autocast):
    def __exit__(self, *error):
        super().__exit__(*error)
        if error[0] is not None:
            raise ArithmeticError("an error in an autocast region") from error[1]
