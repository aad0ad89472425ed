"""a folder with a space in its name is not seen."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "(?:[^"\s]*/)?{re.escape(file)}", (line \d+ in .+)', stack)
        found.setdefault(frame[1] if frame else "elsewhere", []).append(rank)
    return found
