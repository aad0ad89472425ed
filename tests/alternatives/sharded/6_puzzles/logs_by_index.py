"""the logs are looked up index by index, and the calls counted as texts."""


def first_difference(calls):
    longest = max(map(len, calls))
    for index in range(longest):
        row = [log[index] if index < len(log) else {} for log in calls]
        texts = [repr([str(call.get(part)) for part in ("name", "dtype", "shape")]) for call in row]
        usual = Counter(texts).most_common(1)[0][0]
        if set(texts) != {usual}:
            odd = [rank for rank, text in enumerate(texts) if text != usual]
            if not all(row):
                return index, "ended", odd
            for part in ("name", "dtype", "shape"):
                if len({str(call[part]) for call in row}) > 1:
                    return index, part, odd
    return None
