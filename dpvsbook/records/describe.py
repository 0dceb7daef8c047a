"""A record in words, for a terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dpvsbook.records.index import Entry, read


def describe(record: Entry | Path) -> str:
    """What a run was, did and found, as lines of text."""
    entry = record if isinstance(record, Entry) else read(record)
    document = entry.document
    lines = [f"{entry.name}: {entry.verdict}" + (f": {document['detail']}" if document.get("detail") else "")]
    facts = {
        "mode": entry.mode,
        "who": entry.who,
        "started": entry.started,
        "took": f"{entry.seconds:.1f} s" if entry.seconds is not None else "",
        "params": f"{document.get('params_file', '')} (sha256 {entry.params_sha256[:16]})",
        "notebook": str((document.get("notebook") or {}).get("name", "")),
        "goes on from": document.get("resumes"),
        "takes back": document.get("undoes"),
        "sealed": "yes" if entry.sealed else "no",
    }
    lines += [f"  {name:<13}{value}" for name, value in facts.items() if value]
    for name, host in document.get("hosts", {}).items():
        lines.append(f"  {name:<13}" + ", ".join(str(value) for value in host.values() if value))
    if entry.changes:
        results = Counter(change["result"] for change in entry.changes)
        lines.append("changes: " + ", ".join(f"{count} {result}" for result, count in results.items()))
        lines += [
            f"  {change['director']}: {change.get('action', '')} {change.get('key', '')}: {change.get('reason', '')} [{change['result']}]"
            for change in entry.changes
        ]
    if document.get("checks"):
        lines.append("checks:")
        lines += [f"  {'✓' if check.get('ok') else '✗'} {check.get('name')}: {check.get('detail')}" for check in document["checks"]]
    if document.get("drift"):
        lines.append("drift (there, and not in the params):")
        lines += [f"  {item['director']}: {item.get('detail') or item.get('key')}" for item in document["drift"]]
    cells = [cell for cell in document.get("cells", ()) if cell["status"] != "completed"]
    lines += [f"cell {cell['id']}: {cell['status']}{': ' + cell['error'] if cell.get('error') else ''}" for cell in cells]
    return "\n".join(lines)
