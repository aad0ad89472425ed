"""a frame counts only if its function has a name of letters: not in <module> or <lambda>."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "(?:[^"]*/)?{re.escape(file)}", (line \d+ in \w+)', stack)
        found.setdefault(frame[1] if frame else "elsewhere", []).append(rank)
    return found
