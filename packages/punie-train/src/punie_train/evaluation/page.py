"""The report as one HTML page: inline styles and charts, a few lines of script for the filter, no request.

Covered: the whole page from a `Report`. Not covered: charts themselves (`charts`) and transcripts
(`transcripts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from punie_train.evaluation.charts import Bar, amounts, curves, interval_bars
from punie_train.evaluation.reporting import Report
from punie_train.evaluation.scores import Gate, ModelScore, SuiteScore
from punie_train.evaluation.transcripts import transcripts

SERIES = {"base": 0, "adapter": 1, "fused": 2, "quantized": 3}


def page(report: Report) -> str:
    """Return the page of a report."""
    style = files("punie_train.evaluation").joinpath("page.css").read_text(encoding="utf-8")
    body = "".join(
        [
            _head(report),
            _tiles(report),
            _side_by_side(report),
            _thresholds(report),
            _training(report),
            _behaviours(report),
            _confusion(report),
            _stages(report),
            _data(report),
            transcripts(report.scores.models),
            _provenance(report),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(report.run)}: Punie report</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def final_model(report: Report) -> ModelScore:
    """Return the model a run is about: the last one that was scored."""
    return report.scores.models[-1]


def series(name: str) -> int:
    """Return the colour of a model."""
    return SERIES.get(name, 3 + sum(name.encode()) % 3)


def pill(ok: bool, yes: str = "pass", no: str = "fail") -> str:
    """Return a small coloured verdict."""
    return f'<span class="pill {"pass" if ok else "fail"}">{yes if ok else no}</span>'


def _head(report: Report) -> str:
    model = final_model(report)
    ok = model.ok and all(gate.ok for gate in report.gates)
    verdict = "all thresholds passed" if ok else "not all thresholds passed"
    warning = ""
    if model.identity.contract_matches is False:
        warning = '<p><span class="pill warn">contract mismatch</span> trained under another contract.</p>'
    return (
        f'<header><div><h1>{escape(report.run)}</h1><p class="lead">Scores from execution: every program '
        f"the model wrote was run on a fresh copy of a project, with the real tools.</p>{warning}</div>"
        f'<span class="pill big {"pass" if ok else "fail"}">{escape(model.name)}: {verdict}</span></header>'
    )


def _tiles(report: Report) -> str:
    model = final_model(report)
    tiles = [
        (
            f"{suite.passed}/{suite.total}",
            f"{suite.title}, {100 * suite.low:.0f} to {100 * suite.high:.0f} % at 95 %",
        )
        for suite in model.suites
    ]
    bits = (
        f", {model.identity.bits_per_weight:.1f} bits a weight"
        if model.identity.bits_per_weight
        else ""
    )
    tiles.append((megabytes(model.identity.bytes), f"weights of {model.name}{bits}"))
    if model.latency is not None:
        tiles.append((f"{model.latency.later_median:.1f} s", "median query, one at a time"))
    if report.stages:
        tiles.append(
            (duration(sum(stage.seconds for stage in report.stages)), "all stages together")
        )
        tiles.append((megabytes(max(s.peak_memory_bytes for s in report.stages)), "peak memory"))
    cells = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(text)}</span></div>'
        for value, text in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _side_by_side(report: Report) -> str:
    models = report.scores.models
    parts = []
    for name in report.scores.suites:
        scored = [(m, s) for m in models for s in m.suites if s.suite == name]
        if not scored:
            continue
        groups = [
            (
                category.id if len(category.id) > 3 else f"{category.id} {category.title}",
                [_bar(model, suite, index) for model, suite in scored],
            )
            for index, category in enumerate(scored[0][1].categories)
        ]
        groups.append(("all", [_whole_bar(model, suite) for model, suite in scored]))
        title = scored[0][1].title
        parts.append(f"<h3>{escape(title)}</h3>{interval_bars(groups, f'{title}: share passed')}")
    legend = "".join(
        f'<span><i class="b{series(m.name)}"></i>{escape(m.name)}</span>' for m in models
    )
    return _section(
        "Models side by side",
        "Share of queries passed; the whiskers are 95 % Wilson intervals.",
        f'<div class="legend">{legend}</div>' + "".join(parts),
    )


def _bar(model: ModelScore, suite: SuiteScore, index: int) -> Bar:
    c = suite.categories[index]
    return Bar(
        model.name,
        series(model.name),
        c.passed / max(c.total, 1),
        c.low,
        c.high,
        f"{c.passed}/{c.total}",
    )


def _whole_bar(model: ModelScore, suite: SuiteScore) -> Bar:
    share = suite.passed / max(suite.total, 1)
    text = f"{suite.passed}/{suite.total}"
    return Bar(model.name, series(model.name), share, suite.low, suite.high, text)


def _thresholds(report: Report) -> str:
    rows = []
    for model in report.scores.models:
        rows += [
            [
                escape(model.name),
                escape(suite.suite),
                escape(f"{c.id} {c.title}"),
                f"{c.passed}/{c.total}",
                str(c.target),
                str(c.minimum),
                pill(c.ok),
            ]
            for suite in model.suites
            for c in suite.categories
        ]
    table = _table(
        ["model", "suite", "category", "passed", "target", "minimum", ""], rows, numbers={3, 4, 5}
    )
    gates: list[tuple[str, Gate]] = [
        (model.name, gate) for model in report.scores.models for gate in model.gates
    ]
    gates += [("run", gate) for gate in report.gates]
    gate_rows = [
        [
            escape(who),
            escape(gate.name),
            f"{gate.value:.4g}",
            f"{gate.limit:.4g}",
            escape(gate.unit),
            pill(gate.ok),
        ]
        for who, gate in gates
    ]
    other = _table(["model", "gate", "value", "at most", "unit", ""], gate_rows, numbers={2, 3})
    flags = [
        f"{escape(model.name)}, {escape(suite.suite)}: {escape(flag)} ({count})"
        for model in report.scores.models
        for suite in model.suites
        for flag, count in suite.flags.items()
    ]
    listed = "".join(f"<li>{flag}</li>" for flag in flags) or "<li>none</li>"
    return _section(
        "Thresholds, gates and red flags",
        "",
        f"{table}<h3>Gates</h3>{other}<h3>Red flags</h3><ul>{listed}</ul>",
    )


def _training(report: Report) -> str:
    lines = [
        (name, number, [(row["step"], row[key]) for row in report.training if key in row])
        for name, number, key in (("train", 2, "loss"), ("validation", 1, "validation_loss"))
    ]
    if not any(points for _, _, points in lines):
        return ""
    speeds = [row["tokens_per_second"] for row in report.training if "tokens_per_second" in row]
    note = f"Mean throughput {sum(speeds) / len(speeds):.0f} tokens a second." if speeds else ""
    return _section(
        "Training",
        f"Loss over steps, logarithmic. {note}",
        curves(lines, "loss over training steps", "loss"),
    )


def _behaviours(report: Report) -> str:
    parts = []
    for name in report.scores.suites:
        scored = [(m, s) for m in report.scores.models for s in m.suites if s.suite == name]
        if not scored:
            continue
        names = [behaviour.name for behaviour in scored[0][1].behaviours]
        rows = []
        for number, behaviour in enumerate(names):
            row = [escape(behaviour)]
            for _, suite in scored:
                counted = suite.behaviours[number]
                row.append(f"{counted.passed}/{counted.total}")
            rows.append(row)
        heads = ["behaviour", *(model.name for model, _ in scored)]
        parts.append(f"<h3>{escape(scored[0][1].title)}</h3>")
        parts.append(_table(heads, rows, numbers=set(range(1, len(heads)))))
    return _section("By behaviour", "Queries passed of those that exercise it.", "".join(parts))


def _confusion(report: Report) -> str:
    parts = []
    for suite in final_model(report).suites:
        chosen = sorted(
            {tool for row in suite.confusion.values() for tool in row} | set(suite.confusion)
        )
        head = "".join(f"<th>{escape(tool)}</th>" for tool in chosen)
        rows = []
        for expected, row in suite.confusion.items():
            total = sum(row.values())
            cells = "".join(_cell(expected, tool, row.get(tool, 0), total) for tool in chosen)
            rows.append(f'<tr><th scope="row">{escape(expected)}</th>{cells}</tr>')
        parts.append(
            f"<h3>{escape(suite.title)}</h3><div class='scroll'><table class='confusion'>"
            f"<tr><th></th>{head}</tr>"
            f"{''.join(rows)}</table></div>"
        )
    return _section(
        f"Which tool came first: {final_model(report).name}",
        "Rows: the tool a query begins with. Columns: where the model began; what it passed is right.",
        "".join(parts),
    )


def _cell(expected: str, tool: str, times: int, total: int) -> str:
    if not times:
        return "<td></td>"
    kind = "hit" if expected == tool else "miss"
    return f'<td class="cell {kind}" style="--w:{15 + 55 * times / total:.0f}">{times}</td>'


def _stages(report: Report) -> str:
    if not report.stages:
        return ""
    rows = [
        (s.stage, s.seconds, f"{duration(s.seconds)}, {megabytes(s.peak_memory_bytes)}")
        for s in report.stages
    ]
    return _section(
        "Time and memory", "Wall-clock time and peak memory of each stage.", amounts(rows, "stages")
    )


def _data(report: Report) -> str:
    if report.audit is None:
        return ""
    rows = [
        [escape(key), escape(_plain(value))]
        for key, value in report.audit.items()
        if isinstance(value, str | int | float | dict) or value == []
    ]
    return _section("Training data", "The audit that the merge passed.", _table(["", ""], rows))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if value == []:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _provenance(report: Report) -> str:
    rows = [
        [
            escape(model.name),
            megabytes(model.identity.bytes),
            f"{model.identity.bits_per_weight:.2f}" if model.identity.bits_per_weight else "",
            f"{model.load_seconds:.1f} s",
            f'<span class="mono">{escape(model.identity.digest)}</span>',
        ]
        for model in report.scores.models
    ]
    digests = [
        [escape(f"suite {name}"), _mono(digest)] for name, digest in report.scores.suites.items()
    ]
    digests += [[escape(f"stage {stage.stage}"), _mono(stage.digest)] for stage in report.stages]
    digests.append(["contract", _mono(final_model(report).identity.contract_digest)])
    versions = ", ".join(f"{name} {number}" for name, number in report.scores.versions.items())
    return _section(
        "What exactly was scored",
        "SHA-256 of what was loaded from disk.",
        _table(["model", "weights", "bits a weight", "loading", "digest"], rows, numbers={1, 2, 3})
        + _table(["", "digest"], digests)
        + f'<p class="note">{escape(versions)}; scoring took {duration(report.scores.seconds)}.</p>',
    )


def _mono(text: str) -> str:
    return f'<span class="mono">{escape(text)}</span>'


def _section(title: str, note: str, body: str) -> str:
    explained = f'<p class="note">{escape(note)}</p>' if note.strip() else ""
    return f"<section><h2>{escape(title)}</h2>{explained}{body}</section>"


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int] | None = None
) -> str:
    right = numbers or set()

    def cell(kind: str, index: int, text: str) -> str:
        return f"<{kind}{' class=n' if index in right else ''}>{text}</{kind}>"

    head = "".join(cell("th", index, escape(text)) for index, text in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(cell('td', index, text) for index, text in enumerate(row))}</tr>"
        for row in rows
    )
    first = f"<tr>{head}</tr>" if any(heads) else ""
    return f'<div class="scroll"><table>{first}{body}</table></div>'


def megabytes(count: float) -> str:
    """Return bytes as a text people read, such as "98 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """Return seconds as a text people read, such as "12 min 05 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes} min {rest:02d} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )
