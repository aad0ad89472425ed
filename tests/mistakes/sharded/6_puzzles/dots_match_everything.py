"""the dot in the file's name matches any character."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "(?:[^"]*/)?{file}", (line \d+ in .+)', stack)
        found.setdefault(frame[1] if frame else "elsewhere", []).append(rank)
    return found
