"""a rank's line is the last frame of the file in its stack, which is where the program starts."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frames = re.findall(rf'File "(?:[^"]*/)?{re.escape(file)}", (line \d+ in .+)', stack)
        found.setdefault(frames[-1] if frames else "elsewhere", []).append(rank)
    return found
