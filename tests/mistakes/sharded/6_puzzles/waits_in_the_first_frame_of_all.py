"""the innermost frame of the stack is taken, whichever file it is in."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(r'File ".*", (line \d+ in .+)', stack)
        found.setdefault(frame[1] if frame and file in stack else "elsewhere", []).append(rank)
    return found
