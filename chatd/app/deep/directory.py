"""The directory of rooms: whether it answers."""

from chatd.app.deep.check import Found, Surroundings, fine, wrong
from chatd.app.directory import check_directory, why_directory_fails
from chatd.app.errors import StartFailedError


async def look_at_directory(surroundings: Surroundings) -> Found | None:
    """Ask a directory in a database once, on nobody's behalf; the others always answer. A daemon
    starts without its answer, but lets nobody in."""
    config = surroundings.config
    if config.directory.source != "sql":
        return None
    try:
        check_directory(config)
    except StartFailedError as error:
        return wrong(str(error), error.exit_code)
    why = await why_directory_fails(config.directory)
    return fine("The directory of rooms answers.") if why is None else wrong(why)
