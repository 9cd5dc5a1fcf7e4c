"""Hostile HTML: nothing of it that could run, load or hide comes out again, in any dialect.

The vectors are of the kinds that OWASP's XSS filter evasion cheat sheet and html5sec.org list. A
real HTML parser looks at what comes out, so that no reading of ours can hide a mistake of ours.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from bridge.contract import Dialect
from bridge.richtext import Mention, read, write
from bridge.richtext.links import safe_url

VECTORS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/xss.js></SCRIPT>",
    "<script/xss src='https://evil.example/x.js'></script>",
    "<script\x0calert(1)//>x</script\x0c>",
    "<<script>alert(1);//<</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script>alert(1)",
    "<script><!-- </script> --><img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<img src=javascript:alert(1)>",
    "<IMG SRC=JaVaScRiPt:alert(1) alt=x>",
    "<img src=`javascript:alert(1)`>",
    '<img """><script>alert(1)</script>">',
    "<img src=x:alert(alt) onerror=eval(src) alt=0>",
    "<img src='https://evil.example/pixel.gif' width=1 height=1 alt=opened>",
    '<img alt="<script>alert(1)</script>" src=x>',
    "<img src=x alt='\"><script>alert(1)</script>'>",
    "<image src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert&#40;1&#41;</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<math href='javascript:alert(1)'>x</math>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' \x01javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='&#x6A;avascript:alert(1)'>x</a>",
    "<a href='&#0000106avascript&colon;alert(1)'>x</a>",
    "<a href='jav&#x0A;ascript:alert(1)'>x</a>",
    "<a href='javascript&#58;alert(1)'>x</a>",
    "<a href='&#14;javascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='//evil.example/'>x</a>",
    "<a href='https://e.org/\" onmouseover=\"alert(1)'>x</a>",
    "<a href=https://e.org/ onclick=alert(1)>x</a>",
    "<a href='https://e.org/' style='background:url(javascript:alert(1))'>x</a>",
    "<a/href='javascript:alert(1)'/>x",
    "<a href='javascript:alert(1)' href='https://e.org/'>x</a>",
    "<b onmouseover=alert(1)>x</b>",
    "<b/onmouseover=alert(1)>x",
    "<b style='width:expression(alert(1))'>x</b>",
    "<p style='background-image:url(https://evil.example/p.gif)'>x</p>",
    "<div style='behavior:url(x.htc)'>x</div>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='&lt;script>alert(1)&lt;/script>'>",
    "<iframe><script>alert(1)</script></iframe>",
    "<object data='javascript:alert(1)'></object>",
    "<embed src='https://evil.example/x.swf'>",
    "<applet code=x></applet>",
    "<form action='javascript:alert(1)'><button>x</button></form>",
    "<button formaction='javascript:alert(1)'>x</button>",
    "<input type=image src=x onerror=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<isindex type=image src=1 onerror=alert(1)>",
    "<body onload=alert(1)>x",
    "<body background='javascript:alert(1)'>",
    "<link rel=stylesheet href='javascript:alert(1)'>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href='javascript:alert(1)//'>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<style><!--</style><script>alert(1)//--></script>",
    "<table background='javascript:alert(1)'><tr><td background='javascript:alert(1)'>x</table>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary>y</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<noembed><img title='</noembed><img src=x onerror=alert(1)>'></noembed>",
    "<title><img src=x onerror=alert(1)></title>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'></textarea>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<plaintext><img src=x onerror=alert(1)>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)>",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "</p/onmouseover=alert(1)>x",
    "<x onclick=alert(1)>x</x>",
    "<a\x00 href='javascript:alert(1)'>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    "<pre><code class='language-\"><script>alert(1)</script>'>x</code></pre>",
    "<ol start='1\"><script>alert(1)</script>'><li>x</ol>",
    "<span data-mx-spoiler='\"><script>alert(1)</script>'>x</span>",
    "<mention network='matrix' id='@victim:e.org'>x</mention>",
    "<mention network='\"><script>alert(1)</script>' id='x'>x</mention>",
    "<mx-reply><script>alert(1)</script></mx-reply>",
]

TAGS = {
    "html",
    "head",
    "body",
    "p",
    "br",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "ul",
}
TAGS |= {
    "ol",
    "li",
    "pre",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "strong",
    "em",
    "del",
}
TAGS |= {"u", "sup", "sub", "a", "span"}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "code": {"class"}, "span": {"data-mx-spoiler"}}
MAIL_STYLED = {"blockquote": {"style"}, "pre": {"style"}}
MAIL_STYLED["table"] = {"border", "cellpadding", "style"}
SCHEMES = ("https://", "http://", "mailto:")


def assert_harmless(html: str, more_tags=frozenset(), more_attributes=None) -> None:
    allowed = ATTRIBUTES | (more_attributes or {})
    assert "<!--" not in html
    for node in LexborHTMLParser(html).css("*"):
        assert node.tag in TAGS | more_tags, node.html
        assert set(node.attributes) <= allowed.get(node.tag, set()), node.html
        if node.tag == "a":
            assert node.attributes["href"].startswith(SCHEMES), node.html


def everything_written(html: str):
    stored = read(Dialect.HTML, "", html)
    for dialect in Dialect:
        yield dialect, write(dialect, stored.plain, stored.html)


def assert_all_harmless(html: str) -> None:
    stored = read(Dialect.HTML, "", html)
    if stored.html is not None:
        assert_harmless(stored.html, {"mention"}, {"mention": {"network", "id"}})
        assert "<mention" not in stored.html
    for dialect, written in everything_written(html):
        if dialect is Dialect.HTML and written.html is not None:
            assert_harmless(written.html)
        if dialect is Dialect.MAIL and written.html is not None:
            assert_harmless(written.html, {"meta"}, {"meta": {"charset"}, **MAIL_STYLED})


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize(
    "around", ["{}", "<b>bold</b> {}", "<ul><li><b>{}</ul>", "<!--x-->{}<p><u>y</u>"]
)
def test_no_vector_survives(vector, around):
    assert_all_harmless(around.format(vector))


@pytest.mark.parametrize("vector", VECTORS)
def test_no_vector_survives_in_markdown(vector):
    """Raw HTML in Markdown is read as all HTML is; and what is written as Markdown is read so."""
    stored = read(Dialect.MARKDOWN, f"**bold** {vector}\n\n{vector}\n")
    assert_all_harmless(stored.html)
    again = read(Dialect.MARKDOWN, write(Dialect.MARKDOWN, stored.plain, stored.html).text)
    assert_all_harmless(again.html)


@pytest.mark.parametrize("vector", VECTORS)
def test_a_vector_that_is_plain_text_stays_text(vector):
    markdown = write(Dialect.MARKDOWN, vector, None).text
    back = read(Dialect.MARKDOWN, markdown)
    assert "<a " not in (back.html or "")
    assert "".join(back.plain.split()) == "".join(read(Dialect.PLAIN, vector).plain.split())


ALPHABET = [
    *"<>/='\"`&;#! \n-",
    "script",
    "img",
    "svg",
    "style",
    "a href",
    "on",
    "x",
    "</",
    "<!--",
    "]]>",
]


@given(st.lists(st.sampled_from([*ALPHABET, *VECTORS]), max_size=8))
def test_no_mixture_of_vectors_survives(parts):
    assert_all_harmless("".join(parts))


# --- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://e.org/a?b=c&d#e", "https://e.org/a?b=c&d#e"),
        ("HTTPS://e.org", "https://e.org"),
        ("  https://e.org/a b ", "https://e.org/a%20b"),
        ("https:\\\\e.org/", "https://e.org/"),
        ("https:e.org", "https://e.org"),
        ('https://e.org/"><', "https://e.org/%22%3E%3C"),
        ("https://e.org/\u202egpj.exe", "https://e.org/%E2%80%AEgpj.exe"),
        ("mailto:a@e.org", "mailto:a@e.org"),
        ("xmpp:room@e.org?join", "xmpp:room@e.org?join"),
        ("matrix:r/room:e.org", "matrix:r/room:e.org"),
        ("tel:+4930123", "tel:+4930123"),
        ("geo:52.5,13.4", "geo:52.5,13.4"),
        ("https://", None),
        ("https:", None),
        ("ftp://e.org", None),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("/relative", None),
        ("e.org", None),
        ("https://e.org/" + "x" * 5000, None),
    ],
)
def test_only_links_that_run_nothing_are_let_through(url, safe):
    assert safe_url(url) == safe


@given(st.text())
def test_a_safe_url_is_safe(url):
    once = safe_url(f"https://{url}")
    assert once is None or safe_url(once) == once


# --- what is not for eyes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "hidden",
    [
        "<span style='display:none'>no</span>",
        "<span style='color:red;Display : None !important'>no</span>",
        "<div hidden>no<div>no</div></div>",
        "<p style='visibility:hidden'>no</p>",
        "<style>no</style>",
        "<head><title>no</title></head>",
        "<mx-reply><blockquote>no<mx-reply>no</mx-reply></blockquote></mx-reply>",
        "<object>no</object>",
        "<img src=x width=1 height=1 alt=no>",
        "<!-- no -->",
    ],
)
def test_what_nobody_sees_is_dropped(hidden):
    assert read(Dialect.HTML, "", f"{hidden}<b>yes</b>").html == "<strong>yes</strong>"


def test_nobody_can_forge_a_mention():
    html = "<b>x</b> <mention network='matrix' id='@a:e.org'>Anna</mention>"
    assert read(Dialect.HTML, "", html).html == "<strong>x</strong> Anna"


def test_what_is_shown_is_one_thing_in_every_program():
    """A body that says another thing than the formatted body is not believed."""
    assert read(Dialect.HTML, "take 10 mg", "take <b>1</b> mg").plain == "take 1 mg"


def test_formatted_text_that_says_nothing_leaves_the_plain_one():
    assert read(Dialect.HTML, "hello", "<script>x</script>").plain == "hello"
    assert read(Dialect.HTML, "hello", "").plain == "hello"


# --- size ---------------------------------------------------------------------------------------

BOMBS = [
    "<b a=1>x", "<b><i>x</b>", "<p><b a=1>x", "<blockquote>x", "<ul><li>x", "<table><td>x", "</b>",
    "<a ", "<!--", "<a b='x>\"", "</a ", "<a href=x", "&", "<", "<pre>", "<code>x", "<q>", "<svg>",
    "<div>x", "x<br> ", "<li>", "<td>", "<font a=1>", "<tr><td>", "<h1>x", "&#1;", "<mx-reply>",
]  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_comes_out_grows_with_what_goes_in_and_no_faster(bomb):
    """No tag can be made to cost or give more the more there are of it."""
    sizes = [len(read(Dialect.HTML, "x", bomb * n).html or "") for n in (1000, 2000)]
    assert sizes[1] <= 2.2 * sizes[0] + 2000


@pytest.mark.parametrize(
    "bomb", [*BOMBS, "<b>*_`</b>\n", "<li>1|2`~~", "**a", "[", "![", "> ", "- a\n"]
)
@pytest.mark.parametrize("dialect", [Dialect.HTML, Dialect.MARKDOWN, Dialect.XMPP])
def test_sixty_four_kilobytes_of_anything_are_read_and_written(bomb, dialect):
    text = (bomb * 64_000)[: 8_000 if dialect is Dialect.MARKDOWN else 64_000]
    stored = read(dialect, text, text if dialect is Dialect.HTML else None)
    for target in Dialect:
        write(target, stored.plain, stored.html)


def test_a_megabyte_of_html_is_read_and_what_is_longer_leaves_the_plain_text():
    assert read(Dialect.HTML, "plain", "<b>x</b> " * 100_000).html.startswith("<strong>x</strong> ")
    assert read(Dialect.HTML, "plain", "<b>x</b> " * 120_000).html is None


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
@pytest.mark.parametrize("dialect", list(Dialect))
def test_no_text_makes_anything_raise(dialect, text):
    stored = read(dialect, text, text)
    read(dialect, text)
    write(dialect, text, text)
    written = write(dialect, stored.plain, stored.html)
    written.text.encode()
    (written.html or "").encode()


def test_a_hook_for_links_sees_safe_urls_only():
    seen = []

    def link(url: str, text: str) -> Mention | None:
        seen.append((url, text))
        return Mention("matrix", "@a:e.org", text) if "matrix.to" in url else None

    html = (
        "<a href='https://matrix.to/#/@a:e.org'>Anna</a> <a href='javascript:x'>x</a> "
        "<code><a href='https://matrix.to/#/@a:e.org'>Anna</a></code> <a href='https://e.org'>y</a>"
    )
    found = read(Dialect.HTML, "", html, link=link)
    assert seen == [("https://matrix.to/#/@a:e.org", "Anna"), ("https://e.org", "y")]
    assert found.html == (
        '<mention network="matrix" id="@a:e.org">Anna</mention> x <code>Anna</code> '
        '<a href="https://e.org">y</a>'
    )
