"""of each stack only the first thread is read."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "(?:[^"]*/)?{re.escape(file)}", (line \d+ in .+)', stack.split("\n\n")[0])
        found.setdefault(frame[1] if frame else "elsewhere", []).append(rank)
    return found
