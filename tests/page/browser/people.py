"""People at the page, each in a browser profile of its own, and the daemon that they use.

What a person sees is found by role and words, as a person finds it. After each test every page is
asked what it must not have done: broken the policy, thrown an error, or asked another host.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, Request, expect

from tests.peers.servers import Server, daemon, token

LIMIT_S: Final = 30.0
expect.set_options(timeout=LIMIT_S * 1_000)

PATIENT: Final = "start_timeout_s = 120\n"
"""For the configuration of a database: its process may be slow to start beside much else, and what
is asked of it meanwhile fails."""

HARMLESS: Final = (
    "Failed to load resource",
    "WebSocket connection to",
    "The Cross-Origin-Opener-Policy header has been ignored",
)
"""What Chromium itself writes to the console where a server is away, and of plain http."""

WATCH_POLICY: Final = """
addEventListener("securitypolicyviolation", (event) => {
  (globalThis.violations ??= []).push(`${event.effectiveDirective} ${event.blockedURI}`);
});
"""


class House:
    """A daemon, and whoever uses its page."""

    def __init__(self, browser: Browser, directory: Path) -> None:
        self._browser = browser
        self._directory = directory
        self._server: Server | None = None
        self._profiles: list[Profile] = []

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = daemon(self._directory)
        return self._server

    @property
    def state(self) -> Path:
        """Where the daemon keeps its log."""
        return self._directory / "state"

    def start(
        self, configuration: str = "", *, port: int | None = None, **environment: str
    ) -> Server:
        """Start the daemon with a configuration of its own."""
        self._server = daemon(self._directory, configuration, port=port, **environment)
        return self._server

    def start_again(self) -> None:
        """Start the daemon that was killed, and let each open page connect at once: its next try
        may be half a minute away."""
        self.server.start()
        for profile in self._profiles:
            for person in profile.people:
                if not person.page.is_closed() and not person.is_crashed:
                    person.wake()

    def configure(self, configuration: str) -> None:
        """What the daemon reads when it starts the next time."""
        (self._directory / "chatd.toml").write_text(configuration)

    def profile(self, **options: Any) -> "Profile":
        """A fresh profile of the browser; `options` are those of Playwright's contexts."""
        profile = Profile(self._browser.new_context(**options))
        self._profiles.append(profile)
        return profile

    def person(self, user_id: str, *rooms: str, **options: Any) -> "Person":
        """Somebody who opens the page by a link with a token, in a profile of its own."""
        return self.profile(**options).open(self.link(user_id, *(rooms or ("demo",))))

    def link(self, user_id: str, *rooms: str, place: str = "") -> str:
        """A link to the page that signs somebody in, at a place as `?room=demo`."""
        return f"{self.server.url}/{place}#token={token(user_id, *rooms)}"

    def profile_of(self, person: "Person") -> "Profile":
        """The profile in which somebody uses the page."""
        return next(one for one in self._profiles if person in one.people)

    def leave(self, person: "Person") -> None:
        """Close the profile of a person, whose pages must have done no harm."""
        profile = next(one for one in self._profiles if person in one.people)
        self._profiles.remove(profile)
        faults = profile.close()
        assert faults == [], faults

    def close(self) -> None:
        faults = [fault for profile in self._profiles for fault in profile.close()]
        if self._server is not None:
            self._server.kill()
        assert faults == [], "\n".join(faults)


class Profile:
    """A profile of the browser, with its pages and what they must not have done."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.people: list[Person] = []
        self.faults: list[str] = []
        context.add_init_script(WATCH_POLICY)
        context.on("request", self._note_request)

    def open(self, link: str) -> "Person":
        """A page of this profile."""
        page = self.context.new_page()
        page.set_default_timeout(LIMIT_S * 1_000)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda line: self._note_line(line.type, line.text))
        person = Person(page, urlsplit(link).netloc)
        self.people.append(person)
        page.goto(link)
        return person

    def close(self) -> list[str]:
        """End the profile: what its pages should not have done."""
        for person in self.people:
            if not person.page.is_closed() and not person.is_crashed:
                self.faults += person.page.evaluate("globalThis.violations ?? []")
        self.context.close()
        return self.faults

    def _note_line(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(HARMLESS):
            self.faults.append(f"console: {text}")

    def _note_request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if request.url.startswith(("blob:", "data:", "about:")) or host is None:
            return
        if host not in ("127.0.0.1", "localhost") and not host.endswith(".test"):
            self.faults.append(f"a request to {host}")
        if "token=" in request.url:
            self.faults.append(f"a token in the address of a request: {request.url[:80]}")


class Person:
    """Somebody in front of a page."""

    def __init__(self, page: Page, netloc: str) -> None:
        self.page = page
        self.netloc = netloc
        self.is_crashed = False
        self._answered: list[str] = []
        page.on("crash", lambda _: setattr(self, "is_crashed", True))

    # What is on the page

    @property
    def composer(self) -> Locator:
        return self.page.locator("[data-region=composer]").get_by_role("textbox")

    @property
    def box(self) -> Locator:
        """Around the text of the composer: a textarea, or the editor that takes its place."""
        return self.page.locator("[data-region=composer] .composer-box")

    @property
    def options(self) -> Locator:
        """What is offered for completion."""
        return self.page.get_by_role("option")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def banner(self) -> Locator:
        return self.page.locator(".banner")

    def message(self, text: str | re.Pattern[str]) -> Locator:
        """The messages of the room that hold a text, oldest first."""
        return self.log.get_by_role("article").filter(has_text=text)

    @property
    def texts(self) -> Locator:
        """The texts of the messages of the room, oldest first."""
        return self.log.locator(".message-body")

    def state(self, text: str) -> Locator:
        """How far a message of their own is."""
        return self.message(text).locator(".message-state")

    def answers(self) -> Locator:
        """The cards of answers, oldest first."""
        return self.log.get_by_role("group", name=re.compile("^Answer"))

    # What a person does

    def is_in(self) -> "Person":
        """Wait until the page is connected, and in its room: with whoever else is there."""
        expect(self.page.locator(".room-header .dot")).to_have_attribute("data-phase", "connected")
        expect(self.page.locator(".room-people")).not_to_have_text("0")
        expect(self.composer).to_be_visible()
        return self

    def write(self, text: str) -> None:
        """Type a message, without sending it."""
        self.composer.fill(text)

    def say(self, text: str) -> None:
        """Write a message and send it: it stands in the room at once."""
        self.composer.fill(text)
        self.composer.press("Enter")
        self.has_written("")
        expect(self.message(text).last).to_be_visible()

    def wake(self) -> None:
        """The browser says that the network is there again, until the page waits for no try."""
        self.page.wait_for_function(WAKE, polling=WAKE_EVERY_MS)

    def crash(self) -> None:
        """The browser's process of this page dies."""
        with self.page.expect_event("crash"), suppress(Error):
            self.page.goto("chrome://crash")

    def say_as_is(self, text: str) -> None:
        """Send a text by the keys that send whatever is offered to complete it."""
        self.composer.fill(text)
        self.composer.press("Control+Enter")
        self.has_written("")

    def ask(self, question: str) -> Locator:
        """Send a question; the card of its answer, once that has ended."""
        self.say_as_is(question)
        return self.last_answer(question)

    def last_answer(self, question: str | re.Pattern[str]) -> Locator:
        """The card of the answer to a question, once that has ended: of one that was not returned
        before, as the same may be asked twice. A pattern is of what the card shows of it."""
        line = question
        if isinstance(question, str):
            line = re.compile(r"\s*".join(map(re.escape, question.split())))
        new = "".join(f":not([data-message-id='{known}'])" for known in self._answered)
        asked = self.page.locator(".answer-head", has_text=line)
        article = self.log.locator(f"article{new}").filter(has=asked).last
        expect(article.locator(".answer")).to_have_attribute("aria-label", re.compile("^Answer: "))
        answer_id = article.get_attribute("data-message-id")
        assert answer_id is not None
        self._answered.append(answer_id)
        return self.log.locator(f"article[data-message-id='{answer_id}'] .answer")

    def reload(self) -> None:
        self.page.reload()

    def look_away(self) -> None:
        """Another window of the system has the focus."""
        self.page.evaluate(LOOK_AWAY)

    def look_back(self) -> None:
        self.page.evaluate(LOOK_BACK)

    def room(self, name: str) -> Locator:
        """A room in the list of rooms."""
        rooms = self.page.get_by_role("navigation", name="Rooms").get_by_role("listitem")
        return rooms.get_by_role("button", name=re.compile(rf"\b{re.escape(name)}\b"))

    def top_seq(self) -> int:
        """The place of the message that is the first in sight."""
        seq: int = self.page.evaluate(TOP_SEQ)
        return seq

    def from_end(self) -> float:
        """How far below what is in sight the list ends. Unit: px."""
        px: float = self.page.evaluate(FROM_END)
        return px

    def is_at_end(self) -> None:
        """Wait until the end of the list is in sight."""
        self.page.wait_for_function(IS_AT_END)

    def settle(self) -> None:
        """Wait until the list has stood still for some frames."""
        self.page.wait_for_function(STILL)

    # What a person sees

    def has_written(self, text: str) -> None:
        """The box holds this text, of one line or none, and nothing else."""
        self.page.wait_for_function(BOX_HOLDS, arg=text)

    def sees(self, *texts: str) -> None:
        """Each of these messages stands there once, in this order."""
        for text in texts:
            expect(self.message(text)).to_have_count(1)
        shown = self.log.get_by_role("article").all_inner_texts()
        places = [next(at for at, one in enumerate(shown) if text in one) for text in texts]
        assert places == sorted(places), list(zip(texts, places, strict=True))

    @contextmanager
    def offline(self) -> Iterator[None]:
        """The network is gone."""
        self.page.context.set_offline(True)
        yield
        self.page.context.set_offline(False)
        self.wake()  # a try that began without the network may not have failed yet

    def axe(self, axe_source: str) -> list[str]:
        """What axe finds wrong in light and in dark, from an isolated world: the policy lets no
        script in."""
        session = self.page.context.new_cdp_session(self.page)
        frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = session.send("Page.createIsolatedWorld", {"frameId": frame})
        where = {"contextId": world["executionContextId"]}
        session.send("Runtime.evaluate", {"expression": axe_source, **where})
        found: list[str] = []
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            run = AXE_RUN % ("" if scheme == SCHEMES[0] else COLOURS_ALONE)
            ended = session.send(
                "Runtime.evaluate",
                {"expression": run, "awaitPromise": True, "returnByValue": True, **where},
            )
            assert "exceptionDetails" not in ended, ended["exceptionDetails"]
            found += [f"{scheme}: {fault}" for fault in ended["result"]["value"]]
        session.detach()
        return found


def sender_and_other(text: str, first: Person, second: Person) -> tuple[Person, Person]:
    """Of two tabs the one that sends a message, whichever was the first to take its turn, and the
    one that waits."""
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        for sender, other in ((first, second), (second, first)):
            if sender.state(text).get_attribute("title") == "Sending":
                return sender, other
    raise AssertionError(f"no tab sends {text!r}")


SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
COLOURS_ALONE: Final = "runOnly: ['color-contrast'],"
"""All else is the same in the second one."""

BOX_HOLDS: Final = """
(text) => {
  const box = document.querySelector("[data-region=composer] .composer-box");
  const editor = box?.querySelector(".composer-editor")?.shadowRoot;
  if (!editor) return box?.querySelector("textarea")?.value === text;
  if (editor.querySelector(".cm-placeholder")) return text === "";
  return editor.querySelector(".cm-content")?.innerText === text;
}
"""

WAKE_EVERY_MS: Final = 100
WAKE: Final = """
() => {
  const phase = document.querySelector(".room-header .dot")?.dataset.phase;
  if (!["reconnecting", "offline", "connecting"].includes(phase)) return true;
  window.dispatchEvent(new Event("online"));
  return false;
}
"""
"""A try that began before the server was there fails, so once may not be enough."""

LOOK_AWAY: Final = """
() => { document.hasFocus = () => false; window.dispatchEvent(new Event("blur")); }
"""
LOOK_BACK: Final = """
() => { delete document.hasFocus; window.dispatchEvent(new Event("focus")); }
"""

TOP_SEQ: Final = """
() => {
  const scroller = document.querySelector(".room-list [role=log]");
  const top = scroller.getBoundingClientRect().top;
  const rows = [...scroller.querySelectorAll("[data-seq]")];
  return Number(rows.find((row) => row.getBoundingClientRect().bottom > top + 1)?.dataset.seq);
}
"""
FROM_END: Final = """
() => {
  const scroller = document.querySelector(".room-list [role=log]");
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
}
"""
IS_AT_END: Final = f"() => ({FROM_END.strip()})() <= 1"
STILL: Final = """
() => new Promise((resolve) => {
  const scroller = document.querySelector(".room-list [role=log]");
  let before = -1, same = 0;
  requestAnimationFrame(function look() {
    same = scroller.scrollTop === before ? same + 1 : 0;
    before = scroller.scrollTop;
    if (same > 10) resolve(true); else requestAnimationFrame(look);
  });
})
"""

AXE_RUN: Final = """
axe.run({ %s resultTypes: ["violations"] }).then((result) =>
  result.violations.map((one) =>
    `${one.id} (${one.impact}): ` +
    one.nodes.slice(0, 3).map((node) =>
      `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`).join(" | ")))
"""
