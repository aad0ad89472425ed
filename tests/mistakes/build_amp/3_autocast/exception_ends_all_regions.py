"""an exception ends the regions around its own too."""


class Autocast(Autocast):
    def __exit__(self, *error):
        super().__exit__(*error)
        if error[0] is not None:
            for region in _thread.regions:
                region._enabled = False
