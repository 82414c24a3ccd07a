"""The bus between nodes: whether what is published there comes back."""

from chatd.app.bus import check_bus, why_bus_fails
from chatd.app.deep.check import Found, Surroundings, fine, wrong
from chatd.app.errors import StartFailedError


async def look_at_bus(surroundings: Surroundings) -> Found | None:
    """Publish something and hear it."""
    config = surroundings.config
    if not config.bus.url:
        return None
    try:
        check_bus(config)
    except StartFailedError as error:
        return wrong(str(error), error.exit_code)
    why = await why_bus_fails(config.bus.url)
    return fine("The bus gives back what is published there.") if why is None else wrong(why)
