"""the ranks are grouped by function, so that two lines of one function are one place."""


def waiting_ranks(stacks, file):
    found = {}
    for rank, stack in enumerate(stacks):
        frame = re.search(rf'File "(?:[^"]*/)?{re.escape(file)}", (line \d+ in (.+))', stack)
        place = next((key for key in found if frame and key.endswith(f" in {frame[2]}")), frame and frame[1])
        found.setdefault(place or "elsewhere", []).append(rank)
    return found
