"""Who is signed in: by a link, by a token, by another page; and what waits while nobody is."""

import re
import time
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.page.browser.people import House, Person, Profile
from tests.peers.servers import SECRET, token

ENTRIES: Final = "navigation.entries().map((entry) => entry.url)"
KEPT_TOKEN: Final = "localStorage.getItem('chatd.token')"
OWN_KEYS: Final = "Object.keys(localStorage).filter((key) => key.includes('/ada/'))"
KEPT_DRAFT: Final = """
(text) => Object.entries(localStorage).some(
  ([key, value]) => key.includes("draft") && value.includes(text))
"""
LOGIN: Final = "http://login.test/in"
HAS_RUN_OUT: Final = "Your sign-in has run out. What you wrote is kept here."
NOT_TAKEN: Final = "This server does not accept that token. The token's signature is wrong."


def link(house: House, user_id: str, *, secret: str = SECRET, ttl_s: int = 600) -> str:
    return f"{house.server.url}/#token={token(user_id, 'demo', ttl_s=ttl_s, secret=secret)}"


def says(person: Person, words: str) -> None:
    """The page of who is not signed in tells why."""
    expect(person.page.get_by_role("alert")).to_have_text(words)


def signs_in(person: Person, user_id: str, *, ttl_s: int = 600) -> None:
    person.page.get_by_role("textbox").fill(token(user_id, "demo", ttl_s=ttl_s))
    person.page.get_by_role("button", name="Connect").click()
    person.is_in()


def signs_in_briefly(house: House, user_id: str, *, ttl_s: int) -> Person:
    """Somebody whose token was made when the page had been loaded: that takes none of its time."""
    person = house.profile().open(house.server.url)
    expect(person.page.get_by_role("button", name="Connect")).to_be_visible()
    signs_in(person, user_id, ttl_s=ttl_s)
    return person


def drafts(person: Person, text: str) -> None:
    """Write a text and do not send it, until the browser keeps it."""
    person.write(text)
    person.page.wait_for_function(KEPT_DRAFT, arg=text)


def account(person: Person) -> Locator:
    return person.page.get_by_role("button", name="settings and sign out")


def signs_out(person: Person) -> None:
    account(person).click()
    person.page.get_by_role("button", name="Sign out", exact=True).click()


def test_a_link_signs_in_and_leaves_its_token_nowhere(house: House) -> None:
    ada = house.person("ada").is_in()
    assert ada.page.url == f"{house.server.url}/?room=demo"
    entries = ada.page.evaluate(ENTRIES)
    assert [entry for entry in entries if "token" in entry] == []
    expect(account(ada)).to_contain_text("Ada")
    ada.reload()
    ada.is_in()


def test_enter_connects_with_a_pasted_token(house: House) -> None:
    ada = house.profile().open(house.server.url)
    ada.page.get_by_role("textbox").fill(token("ada", "demo"))
    ada.page.get_by_role("textbox").press("Enter")
    ada.is_in()


def test_a_token_that_the_server_does_not_take_is_told_and_forgotten(house: House) -> None:
    ada = house.profile().open(link(house, "ada", secret="another secret of somebody else."))
    says(ada, NOT_TAKEN)
    assert ada.page.evaluate(KEPT_TOKEN) is None
    ada.page.get_by_role("textbox").fill(link(house, "ada"))
    ada.page.get_by_role("button", name="Connect").click()
    ada.is_in()


def test_a_link_can_be_put_into_the_address_bar_of_the_page(house: House) -> None:
    ada = house.profile().open(house.server.url)
    expect(ada.page.get_by_role("button", name="Connect")).to_be_visible()
    ada.page.goto(link(house, "ada"))
    ada.is_in()
    assert "token" not in ada.page.url
    assert [entry for entry in ada.page.evaluate(ENTRIES) if "token" in entry] == []


def test_what_waits_goes_out_when_its_user_has_signed_in_again(house: House) -> None:
    ada, bob = house.person("ada").is_in(), house.person("bob").is_in()
    house.server.kill()
    ada.say("first")
    ada.say("second")
    ada.write("not finished")
    expired = token("ada", "demo", ago_s=3_600)
    ada.page.evaluate("(it) => localStorage.setItem('chatd.token', it)", expired)
    house.start_again()
    says(ada, HAS_RUN_OUT)
    signs_in(ada, "ada")
    ada.sees("first", "second")
    expect(ada.box).to_contain_text("not finished")
    expect(bob.texts).to_have_text(["first", "second"])


def test_a_sign_in_that_ends_can_be_renewed_without_leaving(house: House) -> None:
    house.start(CHATD_AUTH__LEEWAY_S="0")
    ada = signs_in_briefly(house, "ada", ttl_s=55)
    ends_s = time.time() + 55
    notice = ada.page.get_by_role("alert").filter(has_text="Your sign-in ends in a minute.")
    notice.get_by_role("textbox").fill("nonsense")
    notice.get_by_role("button", name="Stay").click()
    expect(notice).to_contain_text("The token is not a JWT")
    expect(ada.page.locator(".notice")).to_have_count(1)
    notice.get_by_role("textbox").fill(token("ada", "demo"))
    notice.get_by_role("button", name="Stay").click()
    expect(ada.page.locator(".notice")).to_have_count(0)
    has_ended = "(ends) => Date.now() > ends"
    ada.page.wait_for_function(has_ended, arg=(ends_s + 1) * 1_000, timeout=90_000)
    ada.say("still here")
    expect(ada.state("still here")).to_have_attribute("title", "Sent")
    ada.reload()
    ada.is_in()


def test_a_sign_in_that_has_ended_asks_for_another(house: House) -> None:
    house.start(CHATD_AUTH__LEEWAY_S="0")
    ada = signs_in_briefly(house, "ada", ttl_s=20)
    ada.write("half a sentence")
    says(ada, HAS_RUN_OUT)
    signs_in(ada, "ada")
    expect(ada.box).to_contain_text("half a sentence")


def test_a_link_of_somebody_else_asks(house: House) -> None:
    ada = house.person("ada").is_in()
    profile = house.profile_of(ada)
    other = profile.open(link(house, "bob"))
    question = r"This link signs you in as .?Bob.? \(.?bob.?\)\. You are .?Ada.? \(.?ada.?\) in"
    expect(other.page.get_by_role("alert")).to_have_text(re.compile(question))
    other.page.get_by_role("button", name=re.compile("^Stay .?Ada")).click()
    other.is_in()
    expect(account(other)).to_contain_text("Ada")
    other = profile.open(link(house, "bob"))
    other.page.get_by_role("button", name=re.compile("^Switch to .?Bob")).click()
    other.is_in()
    expect(account(other)).to_contain_text("Bob")
    expect(account(ada.is_in())).to_contain_text("Bob")


def test_two_users_of_one_browser_share_nothing(house: House) -> None:
    ada, eve = house.person("ada").is_in(), house.person("eve").is_in()
    profile = house.profile_of(ada)
    house.server.kill()
    ada.say("of Ada")
    drafts(ada, "a draft of Ada")
    ada.page.close()
    house.start_again()
    bob = profile.open(link(house, "bob"))
    bob.page.get_by_role("button", name=re.compile("^Switch to .?Bob")).click()
    bob.is_in()
    expect(bob.box).not_to_contain_text("a draft of Ada")
    bob.say("of Bob")
    expect(bob.texts).to_have_text(["of Bob"])
    expect(eve.texts).to_have_text(["of Bob"])
    drafts(bob, "a draft of Bob")
    bob.page.close()
    ada = profile.open(link(house, "ada"))
    ada.page.get_by_role("button", name=re.compile("^Switch to .?Ada")).click()
    expect(ada.is_in().box).to_contain_text("a draft of Ada")
    expect(ada.texts).to_have_text(["of Bob", "of Ada"])
    expect(eve.texts).to_have_text(["of Bob", "of Ada"])


def test_who_signs_out_is_asked_about_what_waits(house: House) -> None:
    ada = house.person("ada").is_in()
    profile = house.profile_of(ada)
    ada.page.evaluate("navigator.serviceWorker.ready.then(() => true)")  # it has every file then
    house.server.kill()
    ada.say("not sent yet")
    signs_out(ada)
    expect(ada.page.get_by_text("This browser has 1 unsent message of yours.")).to_be_visible()
    ada.page.get_by_role("button", name="Keep and sign out").click()
    expect(ada.page.get_by_role("button", name="Connect")).to_be_visible()
    assert ada.page.evaluate(KEPT_TOKEN) is None
    ada.page.get_by_role("textbox").fill(token("ada", "demo"))
    ada.page.get_by_role("button", name="Connect").click()
    expect(ada.message("not sent yet")).to_be_visible()
    signs_out(ada)
    ada.page.get_by_role("button", name="Delete and sign out").click()
    expect(ada.page.get_by_role("button", name="Connect")).to_be_visible()
    house.start_again()
    again = profile.open(link(house, "ada")).is_in()
    again.say("another one")
    expect(again.texts).to_have_text(["another one"])


def test_who_signs_out_is_asked_about_drafts_and_leaves_nothing_else(house: House) -> None:
    ada = house.person("ada").is_in()
    profile = house.profile_of(ada)
    ada.write("half a sent")
    ada.page.wait_for_function(f"() => {OWN_KEYS}.some((key) => key.includes('draft'))")
    signs_out(ada)
    expect(ada.page.get_by_text("This browser has 1 draft of yours. Keep it")).to_be_visible()
    ada.page.get_by_role("button", name="Keep and sign out").click()
    expect(ada.page.get_by_role("button", name="Connect")).to_be_visible()
    again = profile.open(link(house, "ada")).is_in()
    again.has_written("half a sent")
    again.write("")
    again.page.wait_for_function(f"() => !{OWN_KEYS}.some((key) => key.includes('draft'))")
    ada.is_in()  # by the token of the other tab; it knows its rooms from now on
    signs_out(again)
    expect(again.page.get_by_role("button", name="Connect")).to_be_visible()
    # Once the other tab knows of it, too: it may have written its rooms down at that moment.
    again.page.wait_for_function(f"() => {OWN_KEYS}.length === 0")


@pytest.fixture
def with_login(house: House) -> Profile:
    """A browser that knows a page to sign in at."""
    house.start(f'[web]\nlogin_url = "{LOGIN}"\n')
    profile = house.profile()

    def answer(route: Route) -> None:
        route.fulfill(body="<title>Who are you?</title>", content_type="text/html")

    profile.context.route(re.compile(r"^http://login\.test/"), answer)
    return profile


def return_to(person: Person) -> str:
    """Where the page to sign in at sends somebody back to."""
    expect(person.page).to_have_title("Who are you?")
    (back,) = parse_qs(urlsplit(person.page.url).query)["return_to"]
    return back


def test_who_is_not_signed_in_is_led_to_where_that_is_done(
    house: House, with_login: Profile
) -> None:
    ada = with_login.open(house.server.url)
    ada.page.get_by_role("link", name="Sign in").click()
    back = return_to(ada)
    assert back == f"{house.server.url}/"
    ada.page.goto(f"{back}#token={token('ada', 'demo')}")
    ada.is_in()


def test_a_refused_token_leads_there_by_itself_but_not_in_a_circle(
    house: House, with_login: Profile
) -> None:
    refused = link(house, "ada", secret="another secret of somebody else.")
    ada = with_login.open(refused)
    back = return_to(ada)
    ada.page.goto(f"{back}#{urlsplit(refused).fragment}")
    says(ada, NOT_TAKEN)
    expect(ada.page.get_by_role("link", name="Sign in")).to_be_visible()
    assert ada.page.url == back


def test_a_sign_in_in_another_tab_renews_this_one(house: House, with_login: Profile) -> None:
    ada = with_login.open(link(house, "ada", ttl_s=55)).is_in()
    notice = ada.page.get_by_role("alert").filter(has_text="Your sign-in ends in a minute.")
    with ada.page.context.expect_page() as opened:
        notice.get_by_role("link", name="Sign in again").click()
    there = opened.value
    expect(there).to_have_title("Who are you?")
    there.goto(link(house, "ada"))
    expect(notice).to_be_hidden()
    ada.is_in()
