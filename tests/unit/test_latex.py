from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.chat.latex import LONGEST, to_unicode

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "arxiv_papers.jsonl.gz"


@pytest.mark.parametrize(
    ("latex", "readable"),
    [
        (r"$\alpha$-divergence", "α-divergence"),
        (r"Sorting in $\mathcal{O}(n^2)$ and \mathcal{O}(n^2)", "Sorting in O(n²) and O(n²)"),
        (r"$x_{i}$ and $x_{i,j}$", "xᵢ and xᵢ,ⱼ"),
        (r"$10^{-3}$, $^{13}$CO, H$_2$O", "10⁻³, ¹³CO, H₂O"),
        (r"Nd$_{0.8}$Sr$_{0.2}$NiO$_x$", "Nd₀.₈Sr₀.₂NiOₓ"),
        (r"$M_\odot$ and $M_{\rm BH}$", "M_⊙ and M_BH"),
        (r"$e^{x^2}$ is not $e^x2$", "e^(x²) is not eˣ2"),
        (r"$x_\mathrm{max}$, $x^\frac{1}{2}$, $\sigma^\star$", "xₘₐₓ, x^(1/2), σ⋆"),
        (r"$\frac{a+b}{c}$ or $\frac12$", "(a+b)/c or 1/2"),
        (r"$\sqrt{2}$, $\sqrt[3]{x+y}$", "√2, ³√(x+y)"),
        (r"$f:\mathbb{R}^n \to \mathbb{Z}$", "f:ℝⁿ → ℤ"),
        (r"$\mathbb{E}$ and $\mathfrak{sl}_{n+1}$", "E and slₙ₊₁"),
        (r"$\left( \frac12 \right.$", "( 1/2"),
        (r"$\log n$ steps, $\bar{x} \approx \hat x$", "log n steps, x̄ ≈ x̂"),
        (r"360{\deg} video, $90^\circ$", "360° video, 90°"),
        (r"\emph{foo} \textbf{bar} {\it baz}", "foo bar baz"),
        (r"\textbf{$\beta$-VAE}", "β-VAE"),
        (
            r"Erd\H{o}s, S\o ren, K\"ahler, \'{E}tale, na\"{\i}ve, Mar\v{c}enko",
            "Erdős, Søren, Kähler, Étale, naïve, Marčenko",
        ),
        (r"50\% of R\&D at \$5", "50% of R&D at $5"),
        (r"Fig.~1, $\sim$5~cm, Smith~\cite{smith20}", "Fig. 1, ~5 cm, Smith [smith20]"),
        ("``quotes'' and `one' A--B --- so", "“quotes” and ‘one’ A–B — so"),
        (r"\href{https://x.org/a_b}{our code} at \url{https://y.org/a%20b}", "our code at https://y.org/a%20b"),
        (r"\begin{itemize} \item one \item two \end{itemize}", "one two"),
        (r"\(y_1\) and $$z^2$$ and \[w\]", "y₁ and z² and w"),
        ("5 &lt; 6 &amp; 7 &#8211; R&amp;D", "5 < 6 & 7 – R&D"),
        ("{D}eep {BERT}", "Deep BERT"),
        ("On a\n  broken\ttitle ", "On a broken title"),
    ],
)
def test_latex_becomes_what_a_reader_would_write(latex, readable):
    assert to_unicode(latex) == readable


@pytest.mark.parametrize(
    "plain",
    [
        "",
        "Attention Is All You Need",
        "100% of it, then 20% more",
        "It costs $5 to $10, or US$50-100 million",
        "paid $5 million in 2020 and 3$ today",
        "set $ path ^ more words $ here",
        "$HOME/my_dir to $PATH",
        r"C:\Users\new\data and \n",
        r"QoE\QoS and \ours beat \method",
        "sets {1, 2, 3} and {a: b}",
        "an { unbalanced and a } brace",
        "ends with a backslash \\",
        "snake_case, __init__, a_b and x^",
        "Q&A at AT&T; &A; &unknownentity;",
        "run --help or -v, ~5 ms, 5~6 times, http://a.org/~me",
        "`code` and ``code``, it's, x''",
        "𝒪 日本語 العربية ü 👍🏽",
        "$$$$$",
        "<b>bold</b> & <!channel> @everyone *_~",
    ],
)
def test_plain_text_comes_through_unharmed(plain):
    assert to_unicode(plain) == plain


def test_an_unknown_macro_stays_in_text_and_leaves_its_name_in_mathematics():
    assert to_unicode(r"\ours{} beats \foo{bar}") == r"\ours beats \foo{bar}"
    assert to_unicode(r"$5 \kms$") == "5 kms"


def test_a_formula_behind_which_a_digit_stands_is_one_when_no_money_is_meant():
    assert to_unicode(r"[NeV]$λ$3426, PKS 2155$-$304, $\sim$5") == "[NeV]λ3426, PKS 2155-304, ~5"


def test_text_around_a_formula_without_its_end_survives():
    assert to_unicode(r"Decay $\Lambda_c \to \Lambda") == "Decay $Λ_c → Λ"


@given(st.text(max_size=300))
@example("\\")
@example("\0$x$\0")
@example("$\\frac$ $\\sp$ \\href{a} \\'")
@example("\\verb|x \\input{/etc/passwd} \\begin{a}")
def test_any_text_gives_one_line_and_never_an_error(text):
    line = to_unicode(text)
    assert line == " ".join(line.split())


@given(st.text(alphabet=st.sampled_from(" ab\\${}^_%&~`'\"[]()-\0\n1"), max_size=120))
def test_any_heap_of_marks_gives_one_line_and_never_an_error(text):
    assert "\n" not in to_unicode(text)


@given(st.text(alphabet=st.characters(exclude_characters="\\${}^&`'\"~-", exclude_categories=["Cs", "Cc"])))
def test_plain_text_changes_nothing_but_its_whitespace(text):
    once = to_unicode(text)
    assert once == " ".join(text.split())
    assert to_unicode(once) == once


WORDS = st.text(alphabet="bcdefghjkmpqstvwxyz", min_size=4, max_size=9)
NOISE = st.sampled_from(
    ["%", "{", "}", "$", "$ ", "&",
     "\\", "\\emph", "\\emph{", "``", "''", "--", "\\%", "\\[", "\\(", "^", "_", "$x$", "\\'"]
)  # fmt: skip


@given(st.lists(st.tuples(WORDS, NOISE), max_size=12))
def test_words_outside_mathematics_survive_any_marks_around_them(pairs):
    text = " ".join(f"{word} {noise}" for word, noise in pairs)
    read = re.sub(r"[^a-z]", "", unicodedata.normalize("NFKD", to_unicode(text)))
    for word, _ in pairs:
        assert word in read


@pytest.mark.parametrize(
    "hostile",
    ["{" * 100_000, "{" * 9_000 + "}" * 9_000, "$" * LONGEST, "\\(" * (LONGEST // 2), "\\frac" * 4_000, "$a^{" * 4_000,
     "``" * 9_000, "\\begin{a}" * 2_000, "$" + "x_" * 9_000 + "$", "{$" * 9_000, "\\" * LONGEST, "`a " * 6_000],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_hostile_text_is_read_in_bounded_time_and_depth(hostile):
    assert len(to_unicode(hostile)) <= 3 * len(hostile)


def test_text_longer_than_the_bound_stays_as_it_is():
    text = r"$\alpha$ " * LONGEST
    assert to_unicode(text) == text.strip()


def test_what_looks_like_an_instruction_to_tex_reads_no_file():
    assert to_unicode(r"\input{/etc/hostname}") == r"\input{/etc/hostname}"


@pytest.mark.skipif(not SHARED.exists(), reason="the real records (../shared/data) are not here")
def test_hardly_a_real_title_keeps_its_latex():
    import gzip  # noqa: PLC0415 - needed only where the records are
    import json  # noqa: PLC0415 - the same

    with gzip.open(SHARED, "rt", encoding="utf-8") as lines:
        titles = [json.loads(line)["title"] for line in lines]
    latex = [title for title in titles if re.search(r"[\\$]", title)]
    raw = [title for title in latex if re.search(r"\\[A-Za-z]|\$|\{", to_unicode(title))]
    assert len(latex) > 1000
    assert len(raw) < len(latex) / 50, raw


@pytest.mark.parametrize("depth", [30, 149, 500])
def test_macros_that_lack_arguments_level_in_level_end_in_time(depth):
    assert "x" in to_unicode("$\\frac{" * depth + "x" + "}" * depth)
