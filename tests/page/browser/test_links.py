"""Links with tokens that others have made: nobody is signed out by one, or signed in unasked."""

from playwright.sync_api import expect

from tests.page.browser.people import House, Person
from tests.peers.servers import token


def opens(person: Person, made: str) -> None:
    """The person opens a link with this token in the same tab."""
    link = f"{person.page.url.partition('?')[0]}#token={made}"
    person.page.goto("about:blank")
    person.page.goto(link)


def test_a_forged_link_signs_nobody_out(house: House) -> None:
    ada = house.person("ada").is_in()
    ada.say("before")
    ada.sees("before")
    opens(ada, token("ada", "demo", secret="not that of the server, and of 32 bytes"))
    ada.is_in()
    ada.sees("before")
    ada.reload()
    ada.is_in()


def test_a_link_of_somebody_else_asks_and_a_forged_one_leads_back(house: House) -> None:
    ada = house.person("ada").is_in()
    opens(ada, token("eve", "demo", secret="not that of the server, and of 32 bytes"))
    expect(ada.page.get_by_role("alert")).to_contain_text("Eve\u2069 (\u2068eve")
    ada.page.get_by_role("button", name="Switch to").click()
    ada.is_in()
    ada.say("still here")
    expect(ada.message("still here")).to_contain_text("Ada")
