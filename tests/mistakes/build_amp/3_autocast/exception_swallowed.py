"""an exception ends at the end of the region."""


class Autocast(Autocast):
    def __exit__(self, *error):
        super().__exit__(*error)
        return True
