"""a file is only seen in a folder, not by its bare name."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "[^"]*/{re.escape(file)}", (line \d+ in .+)', stack)
        found.setdefault(frame[1] if frame else "elsewhere", []).append(rank)
    return found
