"""A graph as one page: an SVG tree around its best connected name, and all facts below.

    the hub in the middle; every other name on the ring of its distance, in the sector of the name
    it was reached from; a sector is as wide as it has leaves

No scripts, nothing from the network; every text is escaped, and the page's own policy forbids the
rest. Names beyond ``MOST`` are only in the table.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from html import escape

from scrubjay.agents.distil.triples import Triple
from scrubjay.models.prompting.untrusted import one_line

MOST = 90
"""Names that are drawn."""
RING = 150
"""Between rings, in pixels."""
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:70rem;padding:0 1rem;
color:#1c2430;background:#fff}svg{width:100%;height:auto;border:1px solid #d5dbe3;border-radius:8px}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .5rem;
border-bottom:1px solid #e4e8ee;vertical-align:top;overflow-wrap:anywhere}
line{stroke:#9fb0c7;stroke-width:1.2}circle{fill:#3b5bdb}text{font-size:12px;fill:#1c2430}
.q{color:#5b6675}@media(prefers-color-scheme:dark){body{background:#14181f;color:#dfe5ee}
text{fill:#dfe5ee}td,th{border-color:#2b3340}.q{color:#9aa6b6}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def graph_page(triples: Sequence[Triple], title: str) -> str:
    """The page."""
    names = len({n for t in triples for n in (t.subject, t.object)})
    rows = "".join(
        f"<tr><td>{_text(t.subject)}</td><td>{_text(t.relation)}</td><td>{_text(t.object)}</td>"
        f'<td>{_text(t.place)}<br><span class="q">{_text(t.quote)}</span></td></tr>\n'
        for t in triples
    )
    left = f" The {MOST} best connected are drawn." if names > MOST else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{_text(title)}</h1><p>{names} names, {len(triples)} facts.{left} "
        "Point at a line to read its fact.</p>"
        f"{drawing(triples)}<h2>Facts</h2><table><thead><tr><th>subject</th><th>relation</th>"
        f"<th>object</th><th>where</th></tr></thead><tbody>\n{rows}</tbody></table></body></html>\n"
    )


def drawing(triples: Sequence[Triple]) -> str:
    """The SVG."""
    degree = Counter(n for t in triples for n in (t.subject, t.object))
    drawn = {n for n, _ in sorted(degree.items(), key=lambda x: (-x[1], x[0]))[:MOST]}
    shown = [t for t in triples if t.subject in drawn and t.object in drawn]
    near: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for t in shown:
        near[t.subject][t.object] = near[t.object][t.subject] = None
    at = _places(sorted(drawn, key=lambda n: (-degree[n], n)), near)
    if not at:
        return ""
    side = max(max(abs(x), abs(y)) for x, y in at.values()) + 110
    lines = "".join(
        f'<line x1="{at[t.subject][0]:.0f}" y1="{at[t.subject][1]:.0f}" '
        f'x2="{at[t.object][0]:.0f}" y2="{at[t.object][1]:.0f}"><title>'
        f"{_text(f'{t.subject} · {t.relation} · {t.object} ({t.place})')}</title></line>"
        for t in shown
    )
    dots = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{3 + min(9, degree[n]) * 0.7:.1f}"/>'
        f'<text x="{x + 9:.0f}" y="{y + 4:.0f}">{_text(_short(n))}</text>'
        for n, (x, y) in at.items()
    )
    box = f"{-side:.0f} {-side:.0f} {2 * side:.0f} {2 * side:.0f}"
    return f'<svg viewBox="{box}" role="img" aria-label="graph">{lines}{dots}</svg>'


def _places(
    names: Sequence[str], near: Mapping[str, Mapping[str, None]]
) -> dict[str, tuple[float, float]]:
    """Where each name goes; parts that don't hang together share the circle."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    depth: dict[str, int] = {}
    roots = []
    for name in names:
        if name in depth:
            continue
        roots.append(name)
        depth[name] = 0 if len(roots) == 1 else 2
        queue = deque([name])
        while queue:
            here = queue.popleft()
            for other in near.get(here, {}):
                if other not in depth:
                    depth[other] = depth[here] + 1
                    children[here].append(other)
                    queue.append(other)
    leaves: dict[str, int] = {}
    for name in sorted(depth, key=lambda n: -depth[n]):
        leaves[name] = sum(leaves[c] for c in children[name]) or 1
    at: dict[str, tuple[float, float]] = {}
    total, start = sum(leaves[r] for r in roots), 0.0
    waiting = []
    for root in roots:
        width = 2 * math.pi * leaves[root] / total
        waiting.append((root, start, width))
        start += width
    while waiting:
        name, begin, width = waiting.pop()
        angle, far = begin + width / 2, depth[name] * RING
        at[name] = (far * math.cos(angle), far * math.sin(angle))
        for child in children[name]:
            share = width * leaves[child] / leaves[name]
            waiting.append((child, begin, share))
            begin += share
    return at


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"


def _text(text: str) -> str:
    return escape(one_line(text))
