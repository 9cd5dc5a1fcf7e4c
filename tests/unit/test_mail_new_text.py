"""Of a mail only what is new is shown, and never less than that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.new_html import new_html, plain_of
from adapters.mail.new_text import is_footer, new_text, unflowed

QUOTE = "> Wat denkt u?\n> Met vriendelijke groet,\n> Bram"
INTRODUCTIONS = {
    "english": "On Mon, Jun 1, 2026 at 10:00 AM Bram <bram@clinic.test> wrote:",
    "english, broken": "On Mon, Jun 1, 2026 at 10:00 AM Bram de Vries\n<bram@clinic.test> wrote:",
    "dutch": "Op ma 1 jun 2026 om 10:00 schreef Bram <bram@clinic.test>:",
    "dutch, apple": "Op 1 jun. 2026, om 10:00 heeft Bram <b@clinic.test> het volgende geschreven:",
    "german": "Am 01.06.2026 um 10:00 schrieb Bram <bram@clinic.test>:",
    "french": "Le lun. 1 juin 2026 à 10:00, Bram <bram@clinic.test> a écrit :",
    "spanish": "El lun, 1 jun 2026 a las 10:00, Bram (<bram@clinic.test>) escribió:",
    "italian": "Il giorno lun 1 giu 2026 alle ore 10:00 Bram <bram@clinic.test> ha scritto:",
    "polish": "pon., 1 cze 2026 o 10:00 Bram <bram@clinic.test> napisał(a):",
    "danish": "Den man. 1. jun. 2026 kl. 10.00 skrev Bram <bram@clinic.test>:",
}
BLOCKS = {
    "english": "-----Original Message-----\nFrom: Bram\nSent: Monday\nTo: Ward\n\nOld",
    "dutch": "Van: Bram <b@clinic.test>\nVerzonden: maandag\nAan: Ward\nOnderwerp: Casus\n\nOud",
    "dutch, mark": "-----Oorspronkelijk bericht-----\nVan: Bram\nVerzonden: ma\nAan: Ward\n\nOud",
    "german": "Von: Bram <b@clinic.test>\nGesendet: Montag\nAn: Ward\nBetreff: Fall\n\nAlt",
    "french": "De : Bram <b@clinic.test>\nEnvoyé : lundi\nÀ : Ward\nObjet : Cas\n\nVieux",
    "rule": "________________________________\nFrom: Bram\nSent: Monday\nSubject: Case\n\nOld",
}


@pytest.mark.parametrize("language", INTRODUCTIONS)
def test_what_is_quoted_below_is_cut_off(language: str) -> None:
    cut = new_text(f"Een tekenbeet.\n\n{INTRODUCTIONS[language]}\n\n{QUOTE}\n", answers=True)

    assert cut.text == "Een tekenbeet."
    assert cut.quoted


@pytest.mark.parametrize("language", BLOCKS)
def test_what_outlook_leaves_below_is_cut_off(language: str) -> None:
    cut = new_text(f"Een tekenbeet.\n\n{BLOCKS[language]}\n", answers=True)

    assert cut.text == "Een tekenbeet."
    assert cut.quoted


def test_an_answer_below_the_quotation_is_kept() -> None:
    cut = new_text(f"{INTRODUCTIONS['dutch']}\n{QUOTE}\n\nEen tekenbeet.", answers=True)

    assert cut.text == "Een tekenbeet."


def test_answers_between_quotations_keep_what_they_answer() -> None:
    text = f"{INTRODUCTIONS['dutch']}\n> Dosis?\n> mg\n> ml\n\n5 mg\n\n> Hoe lang?\n\nEen week"

    assert new_text(text, answers=True).text == text


@pytest.mark.parametrize(
    "text",
    [
        f"Zie onder.\n\n{QUOTE}",
        "Forwarded message:\nFrom: Lab\nSubject: Result\n\nPositive.",
        "Labels:\nTo: be done\nDate: Monday\n\nThe rest",
    ],
)
def test_nothing_is_cut_from_a_mail_that_answers_none(text: str) -> None:
    assert new_text(text, answers=False).text == text


@pytest.mark.parametrize(
    "text",
    [
        "Thanks,\nplease also check the potassium.\nBest regards to Anna.",
        "Bedankt,\n\nGraag ook kalium bepalen.",
        "- 5 mg\n- 10 mg\n- twice a day",
        "    indented\n        like a table\n    a   b   c",
        "Dose:\n--\n5 mg",
    ],
)
def test_what_a_doctor_wrote_is_not_taken_for_a_signature(text: str) -> None:
    assert new_text(text, answers=True).text == text


@pytest.mark.parametrize(
    "below",
    [
        "-- \nDr. Anna Jansen\nClinic",
        "Sent from my iPhone",
        "Verzonden vanaf mijn Galaxy",
        "Von meinem iPhone gesendet",
        f"{'_' * 47}\nWard mailing list -- ward@lists.test\nTo unsubscribe send an email to x",
        f"-- \nAnna\n\n{'_' * 47}\nWard mailing list\nward@lists.test\nhttps://lists.test/listinfo/x",
        "-- \nYou received this message because you are subscribed to the Google Groups group.",
    ],
)
def test_signatures_and_footers_are_cut_off(below: str) -> None:
    assert new_text(f"Ja, graag.\n\n{below}\n", answers=False).text == "Ja, graag."


def test_a_footer_that_stands_alone_is_known() -> None:
    assert is_footer(f"{'_' * 47}\nWard mailing list -- w@lists.test\nTo unsubscribe send an email")
    assert not is_footer("The mailing list is full.")


def test_lines_that_a_program_broke_are_joined() -> None:
    text = "A long line that \nwas broken\n> quoted \n> too\n-- \nAnna"

    assert unflowed(text, delete_space=False) == (
        "A long line that was broken\n> quoted too\n-- \nAnna"
    )


lines = st.sampled_from(
    ["", "> q", ">", "Hello", "-- ", "From: a", "To: b", "On 1 x wrote:", "_" * 40, "a\xa0b",
     "-----Original Message-----", "To unsubscribe", "Sent from my x", "> > q", "Date: c"]
)  # fmt: skip


@given(st.lists(lines | st.text(max_size=12), max_size=25).map("\n".join), st.booleans())
def test_no_text_breaks_the_reader_and_none_vanishes(text: str, answers: bool) -> None:
    cut = new_text(text, answers=answers)

    assert cut.text.strip() or not text.strip() or is_footer(text)
    assert len(cut.text) <= len(text) + 2


# --- formatted


@pytest.mark.parametrize(
    "quotation",
    [
        (
            "<div class='gmail_quote'><div class='gmail_attr'>Op 1 juni schreef Bram:</div>"
            "<blockquote>oud</blockquote></div>"
        ),
        (
            "<div class='moz-cite-prefix'>Am 1.6. schrieb Bram:</div>"
            "<blockquote type='cite'>oud</blockquote>"
        ),
        "<blockquote type='cite'>oud</blockquote>",
        "<div id='appendonsend'></div><hr><div id='divRplyFwdMsg'>From: Bram</div><p>oud</p>",
        (
            "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"
            "<p><b>Van:</b> Bram</p></div><p>oud</p>"
        ),
        "<p>On Mon, Jun 1, 2026, Bram wrote:</p><blockquote>oud</blockquote>",
        "<div class='yahoo_quoted'>oud</div>",
    ],
)
def test_quotations_of_all_programs_are_cut_off(quotation: str) -> None:
    cut = new_html(
        f"<html><body><p>Een <b>tekenbeet</b>.</p>{quotation}</body></html>", answers=True
    )

    assert "<b>tekenbeet</b>" in cut.html
    assert "oud" not in cut.html
    assert cut.text == "Een tekenbeet."
    assert cut.quoted


def test_answers_within_a_formatted_quotation_keep_it() -> None:
    html = (
        "<div class='gmail_quote'><blockquote>Dosis?</blockquote>5 mg"
        "<blockquote>Hoe lang?</blockquote>Een week</div>"
    )

    cut = new_html(html, answers=True)

    assert not cut.quoted
    assert "Dosis?" in cut.html
    assert "5 mg" in cut.html


def test_scripts_and_styles_are_never_words() -> None:
    html = "<style>p {}</style><script>alert(1)</script><p>Hallo<br>daar</p><!-- x -->"

    assert plain_of(html) == "Hallo\ndaar"


tags = st.sampled_from(
    ["<div>", "</div>", "<blockquote type=cite>", "</blockquote>", "<p>", "<br>", "<table><tr><td>",
     "<div class=gmail_quote>", "<b", ">", "&lt;", "&#0;", "&#xD800;", "<!--", "-->", "<o:p>",
     "<a@b.test>", "On 1 June x wrote:", "hello", "<script>", "\x00", "<div id=divRplyFwdMsg>",
     "<html>", "</body>", "<style>", "<![CDATA[", "<?xml"]
)  # fmt: skip


@given(st.lists(tags | st.text(max_size=8), max_size=25).map("".join), st.booleans())
def test_no_markup_breaks_the_reader(html: str, answers: bool) -> None:
    cut = new_html(html, answers=answers)

    assert isinstance(cut.html, str)
    assert bool(cut.text) == bool(plain_of(html)) or "<img" in cut.html
