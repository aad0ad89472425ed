"""an exception in an inner region forgets the casts of the one around it."""


class Autocast(Autocast):
    def __exit__(self, *error):
        super().__exit__(*error)
        if error[0] is not None:
            _thread.casts.clear()
