"""The transcripts of a report: each query, and what every model did with it.

Covered: HTML of queries, verdicts, programs, outputs and answers, and the filter. Not covered: the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from punie_train.evaluation.scores import ModelScore, QueryScore, RunRecord

LONGEST = 1500
"""Characters of an output that the page shows."""

SCRIPT = """
<script>
(function () {
  var box = document.getElementById("failed-only"), word = document.getElementById("word");
  function show() {
    var text = word.value.toLowerCase();
    document.querySelectorAll("details.query").forEach(function (d) {
      var hide = (box.checked && d.dataset.failed === "0") || d.dataset.text.indexOf(text) < 0;
      d.hidden = hide;
    });
  }
  box.addEventListener("change", show);
  word.addEventListener("input", show);
})();
</script>
"""


def transcripts(models: Sequence[ModelScore]) -> str:
    """Return the section with every query of every suite, a mark for each model."""
    names = list(dict.fromkeys(suite.suite for model in models for suite in model.suites))
    body = "".join(_suite(name, models) for name in names)
    return (
        '<section><h2>Transcripts</h2><p class="note">One mark for each model, in the order '
        f"{escape(', '.join(model.name for model in models))}. Open a query to see programs, outputs "
        'and answers.</p><div class="filter"><label><input type="checkbox" id="failed-only"> only queries '
        'that a model failed</label><label>with the words <input type="search" id="word"></label></div>'
        f"{body}{SCRIPT}</section>"
    )


def _suite(name: str, models: Sequence[ModelScore]) -> str:
    scored = [
        (model.name, suite) for model in models for suite in model.suites if suite.suite == name
    ]
    by_model = [(model, {query.id: query for query in suite.queries}) for model, suite in scored]
    rows = []
    for query in scored[0][1].queries:
        turns = [(model, queries[query.id]) for model, queries in by_model if query.id in queries]
        rows.append(_query(query, turns))
    return f"<h3>{escape(scored[0][1].title)}</h3>{''.join(rows)}"


def _query(query: QueryScore, turns: Sequence[tuple[str, QueryScore]]) -> str:
    failed = any(not turn.passed for _, turn in turns)
    marks = "".join(
        f'<span class="dot {"pass" if turn.passed else "fail"}" title="{escape(model, quote=True)}">'
        f"{'✓' if turn.passed else '✗'}</span>"
        for model, turn in turns
    )
    text = escape(f"{query.id} {query.prompt} {query.behaviour}".lower(), quote=True)
    return (
        f'<details class="query" data-failed="{int(failed)}" data-text="{text}"><summary>'
        f'<span class="id">{escape(query.id)}</span><span class="q">{escape(query.prompt)}</span>'
        f'<span class="dots">{marks}</span></summary><div class="models">'
        f"{''.join(_turn(model, turn) for model, turn in turns)}</div></details>"
    )


def _turn(model: str, turn: QueryScore) -> str:
    verdict = "pass" if turn.passed else "fail"
    failing = "".join(
        f"<li><b>{escape(check.name)}</b>: {escape(check.detail)}</li>"
        for check in turn.checks
        if not check.ok
    )
    flags = "".join(f' <span class="pill warn">{escape(flag)}</span>' for flag in turn.flags)
    runs = "".join(_run(run) for run in turn.runs)
    answer = f'<div class="answer">{escape(_cut(turn.answer))}</div>' if turn.answer else ""
    return (
        f'<div class="turn"><h4>{escape(model)} <span class="pill {verdict}">{verdict}</span>{flags}'
        f'<span class="note">{turn.seconds:.1f} s, {turn.output_tokens} tokens</span></h4>'
        f"{f'<ul>{failing}</ul>' if failing else ''}{runs}"
        f"{'<div class=label>answer</div>' if answer else ''}{answer}</div>"
    )


def _run(run: RunRecord) -> str:
    output = (
        f"<div class=label>output</div><pre>{escape(_cut(run.shown))}</pre>" if run.shown else ""
    )
    problems = "".join(f"<pre>{escape(problem)}</pre>" for problem in run.problems)
    program = (
        f"<div class=label>program: {escape(run.status)}</div><pre>{escape(run.code.strip())}</pre>"
    )
    return program + output + problems


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "\n…"
