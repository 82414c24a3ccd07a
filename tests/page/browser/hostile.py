"""What somebody who means ill would have on a page, and what must not come of it."""

from typing import Any, Final

from playwright.sync_api import Page

SHAPES: Final = {
    "an image": "<img src=x onerror=alert(1)>",
    "a script": "<script>alert(1)</script>",
    "a drawing": "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "a frame": "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "a link": "[click](javascript:alert(1)) <a href='javascript:alert(1)'>here</a>",
    "an address": "javascript:alert(1) data:text/html,<script>alert(1)</script>",
    "a style": "</style><style>*{display:none}</style><base href=//evil.example>",
    "the end of a script": "</script></textarea></title>--><img src=x onerror=alert(1)>",
    "a template": "{{constructor.constructor('alert(1)')()}} ${alert(1)} <%= 7 %>",
    "an override": "\u202egnp.exe \u2066\u2067 turned \u202b round",
    "nothing to be seen": "a\u200b\u200c\u200d\u2060\ufeffb",
    "a long word": "w" * 9_000,
    "deep Markdown": "> " * 400 + "- " * 200 + "**" * 300 + "`" * 7,
    "marks": "Z" + "\u0301\u0310\u0334\u0489" * 25 + " after",
    "emoji": "👩‍👩‍👧‍👦" * 400,
    "controls": "bell\u0007 null\u0001 escape\u001b[31m back\u0008 nel\u0085 line\u2028end",
    "halves": "\U0001f469\u200d\u200d\ufffd\ufffe\uffff",
    "entities": "&lt;img src=x onerror=alert(1)&gt; &#x3c;b&#62;",
    "addresses": (
        "https://bank.example@evil.example https://bank.example\\@evil.example https://\u0430pple.example"
        " https://a.example/\u202egpj.exe https://a.example/'onclick=alert(1)// HTTP://B.example:80)."
    ),
    "a long address": f"https://a.example/{'w' * 1_500}?{'(' * 400}",
}
"""By a name of each."""

SHORT: Final = {name: text for name, text in SHAPES.items() if len(text) <= 120}

FOREIGN: Final = """
() => {
  const found = [];
  // The text of a message has links, each to exactly what it says.
  function isAddress(element) {
    const [href, text] = [element.getAttribute("href"), element.textContent];
    return element.matches(".message-text > a[target=_blank][rel='noopener noreferrer nofollow']")
      && href === text && /^https?:\\/\\/[\\w.-]+(:\\d+)?([/?#]|$)/i.test(href)
      && !element.attributes.onclick;
  }
  function visit(root) {
    for (const element of root.querySelectorAll("*")) {
      const tag = element.tagName.toUpperCase();
      const isInside = element.closest("[role=log], .panel, dialog, .rooms") !== null;
      // With these the editor keeps the cursor in place; they have no source.
      if (element.matches("img.cm-widgetBuffer:not([src])")) continue;
      if (/^(IMG|IFRAME|OBJECT|EMBED|BASE|VIDEO|AUDIO|MATH|MARQUEE|APPLET)$/.test(tag)) {
        found.push(tag);
      }
      if (isInside && /^(SCRIPT|STYLE|LINK|META|A|TITLE)$/.test(tag) && !isAddress(element)) {
        found.push(tag);
      }
      for (const { name, value } of element.attributes) {
        if (/^on/i.test(name) || /^\\s*(javascript|data|vbscript):/i.test(value)) {
          if (name !== "title" && name !== "aria-label") found.push(`${tag} ${name}`);
        }
      }
      if (element.shadowRoot) visit(element.shadowRoot);
    }
  }
  visit(document);
  return found;
}
"""
"""Elements and attributes that no part of the page makes."""

BROKEN: Final = """
() => {
  const broken = [];
  const page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) broken.push(`the page is ${page.scrollWidth} px wide`);
  if (page.scrollHeight > innerHeight) broken.push(`the page is ${page.scrollHeight} px high`);
  for (const part of document.querySelectorAll(
    "[role=log], .rooms, .panel-content, .room-header, .composer, .message-empty",
  )) {
    if (part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== "hidden") {
      broken.push(`${part.className} scrolls sideways: ${part.scrollWidth} > ${part.clientWidth}`);
    }
  }
  const log = document.querySelector("[role=log]")?.getBoundingClientRect();
  if (log === undefined) return broken;
  for (const row of document.querySelectorAll("[role=log] article")) {
    for (const part of [row, ...row.querySelectorAll("p, pre, header, .answer, .message-author")]) {
      const { left, right } = part.getBoundingClientRect();
      if (left < log.left - 1 || right > log.right + 1) {
        broken.push(`${part.className || part.tagName} stands out: ${left} to ${right}`);
      }
    }
  }
  return broken;
}
"""


class Watch:
    """A page that must not do what content says: no element of it, no dialog, no broken layout."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._dialogs: list[str] = []
        page.on("dialog", self._note_dialog)

    def is_calm(self) -> None:
        """Nothing has come of any content so far."""
        found = [
            *self._page.evaluate(FOREIGN),
            *self._page.evaluate(BROKEN),
            *self._page.evaluate("globalThis.violations ?? []"),
            *self._dialogs,
        ]
        assert found == [], found
        assert len(self._page.context.pages) == 1

    def _note_dialog(self, dialog: Any) -> None:
        self._dialogs.append(dialog.message)
        dialog.dismiss()
