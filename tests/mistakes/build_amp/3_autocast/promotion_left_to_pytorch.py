"""the functions of PROMOTE run as they are, and `index_copy` refuses a mixture."""

PROMOTE = frozenset()
