"""calls with the same number of elements in another shape are taken for the same."""


def first_difference(calls, _found=first_difference):
    return _found([[{**call, "shape": math.prod(call["shape"])} for call in log] for log in calls])
