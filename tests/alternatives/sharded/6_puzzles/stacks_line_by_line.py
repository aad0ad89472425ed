"""the stacks are read line by line, without a pattern."""


def waiting_ranks(stacks, file):
    places = []
    for stack in stacks:
        place = "elsewhere"
        for text in reversed(stack.splitlines()):
            start, _, rest = text.strip().partition('", ')
            if start.startswith('File "') and start.removeprefix('File "').split("/")[-1] == file:
                place = rest
        places.append(place)
    return {place: [rank for rank, one in enumerate(places) if one == place] for place in places}
