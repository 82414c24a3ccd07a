"""How many of something there are, for people."""


def counted(count: int, what: str) -> str:
    """So many of something: "1 row", "1,000 rows"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
