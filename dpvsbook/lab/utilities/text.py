"""cat, head, tail, grep, sort and their like."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby

from dpvsbook.lab.shell.formats import echo_escapes
from dpvsbook.lab.shell.streams import encode
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import Inputs, UsageError, basic_to_python, compiled, extended_to_python, number, options, repeated


def cat(call: Call) -> int:
    _, paths = options(call, "u")
    inputs = Inputs(call, paths)
    for _, stream in inputs:
        if stream.tty or stream is call.stdin:
            while line := stream.readline():
                call.out(line)
        else:
            call.out(stream.read())
    return inputs.status


def _count(call: Call) -> tuple[str, list[str], str]:
    """head's and tail's (number, paths, 'n' or 'c'); `-5` is `-n 5`."""
    argv = list(call.argv)
    for index, word in enumerate(argv[1:], 1):
        if re.fullmatch(r"-\d+", word):
            argv[index : index + 1] = ["-n", word[1:]]
            break
    from dataclasses import replace

    found, paths = options(replace(call, argv=tuple(argv)), "n:c:q", ("lines=", "bytes=", "quiet"))
    kind = "c" if "-c" in found or "--bytes" in found else "n"
    number = found.get("-c", found.get("--bytes", found.get("-n", found.get("--lines", "10"))))
    if not re.fullmatch(r"[-+]?\d+", number):
        raise UsageError(f"invalid number of {'bytes' if kind == 'c' else 'lines'}: '{number}'")
    return number, paths, kind


def head(call: Call) -> int:
    number, paths, kind = _count(call)
    count = int(number)
    inputs = Inputs(call, paths)
    for position, (path, stream) in enumerate(inputs):
        if len(paths) > 1:
            call.out(f"{'' if position == 0 else chr(10)}==> {path} <==\n")
        if kind == "c" or count < 0:
            text = stream.read()
            call.out(text[:count] if kind == "c" else "".join(text.splitlines(keepends=True)[:count]))
            continue
        for _ in range(count):
            if not (line := stream.readline()):
                break
            call.out(line)
    return inputs.status


def tail(call: Call) -> int:
    number, paths, kind = _count(call)
    inputs = Inputs(call, paths)
    for position, (path, stream) in enumerate(inputs):
        if len(paths) > 1:
            call.out(f"{'' if position == 0 else chr(10)}==> {path} <==\n")
        if kind == "c":
            text = stream.read()
            call.out(text[int(number) - 1 :] if number.startswith("+") else text[max(0, len(text) - abs(int(number))) :])
        elif number.startswith("+"):
            call.out("".join(list(Inputs(call, [path]).lines() if path != "-" else _lines(stream.readline))[max(0, int(number) - 1) :]))
        else:
            call.out("".join(deque(_lines(stream.readline), abs(int(number)))))
    return inputs.status


def _lines(readline: Callable[[], str]) -> Iterator[str]:
    while line := readline():
        yield line


def wc(call: Call) -> int:
    found, paths = options(call, "lwcm")
    inputs = Inputs(call, paths)
    rows = []
    for path, stream in inputs:
        text = stream.read()
        rows.append((text.count("\n"), len(text.split()), len(encode(text)), path))
    if len(rows) > 1:
        rows.append((sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows), "total"))
    wanted = [i for i, flags in enumerate(("-l", "-w", "-c -m")) if not found or any(flag in found for flag in flags.split())]
    for row in rows:
        numbers = [str(row[i]) for i in wanted]
        width = 0 if len(wanted) == 1 and len(rows) == 1 else 7 if row[3] == "-" else max(len(str(rows[-1][2])), 1)
        call.out(" ".join(number.rjust(width) for number in numbers) + ("" if row[3] == "-" else f" {row[3]}") + "\n")
    return inputs.status


def grep(call: Call) -> int:
    short = "cvivqEFGonwxhlHsre:m:"
    found, operands = options(call, short, ("count", "invert-match", "ignore-case", "quiet", "extended-regexp", "fixed-strings"), status=2)
    patterns = repeated(call, short, "-e") or operands[:1]
    paths = operands if "-e" in found else operands[1:]
    if not patterns:
        call.err("Usage: grep [OPTION]... PATTERNS [FILE]...\n")
        return 2
    expressions = [line for given in patterns for line in given.split("\n")]
    fixed, extended = "-F" in found or call.name == "fgrep", "-E" in found or call.name == "egrep"
    expression = "|".join(
        f"(?:{re.escape(e) if fixed else extended_to_python(e) if extended else basic_to_python(e)})" for e in expressions
    )
    expression = rf"(?<!\w)(?:{expression})(?!\w)" if "-w" in found else rf"^(?:{expression})$" if "-x" in found else expression
    regex = compiled(expression, re.I if "-i" in found or "--ignore-case" in found else 0)
    invert, quiet, count = (
        "-v" in found or "--invert-match" in found,
        "-q" in found or "--quiet" in found,
        "-c" in found or "--count" in found,
    )
    limit = number(found.get("-m", "-1"), "max count", status=2)
    any_match = False
    inputs = Inputs(call, paths)
    for path, stream in inputs:
        matched = 0
        name = f"{path}:" if ("-H" in found or len(paths) > 1) and "-h" not in found else ""
        for at, line in enumerate(_lines(stream.readline), 1):
            text = line.removesuffix("\n")
            if (regex.search(text) is None) != invert:
                continue
            matched, any_match = matched + 1, True
            if quiet:
                return 0
            prefix = name + (f"{at}:" if "-n" in found else "")
            if "-l" in found:
                call.out(f"{path}\n")
                break
            if "-o" in found and not count:
                call.out("".join(f"{prefix}{match[0]}\n" for match in regex.finditer(text) if match[0]))
            elif not count:
                call.out(f"{prefix}{text}\n")
            if matched == limit:
                break
        if count:
            call.out(f"{name}{matched}\n")
    return 2 if inputs.status else int(not any_match)


def sort(call: Call) -> int:
    found, paths = options(call, "nruk:t:Vbfs")
    inputs = Inputs(call, paths)
    lines = [line.removesuffix("\n") for line in inputs.lines()]
    key_field = re.match(r"[1-9]\d*", found.get("-k", "1"))
    if key_field is None:
        raise UsageError(f"invalid number at field start: invalid count at start of '{found['-k']}'", 2)
    start = int(key_field[0]) - 1 if "-k" in found else -1
    numeric = "-n" in found or "n" in found.get("-k", "")

    def key(line: str) -> tuple[object, ...]:
        text = line
        if start >= 0:
            pieces = line.split(found["-t"]) if "-t" in found else line.split()
            text = " ".join(pieces[start:])
        if "-f" in found:
            text = text.upper()
        if numeric:
            match = re.match(r"\s*(-?\d+(?:\.\d+)?)", text)
            return (float(match[1]) if match else 0.0, line)
        if "-V" in found:
            return tuple((int(p), "") if p.isdigit() else (-1, p) for p in re.findall(r"\d+|\D+", text))
        return (text, line)

    lines.sort(key=key, reverse="-r" in found)
    if "-u" in found:
        lines = [next(group) for _, group in groupby(lines, key=lambda line: key(line)[:1] if numeric else key(line))]
    call.out("".join(f"{line}\n" for line in lines))
    return inputs.status


def uniq(call: Call) -> int:
    found, paths = options(call, "cdu")
    inputs = Inputs(call, paths[:1])
    for line, group in groupby(line.removesuffix("\n") for line in inputs.lines()):
        count = sum(1 for _ in group)
        if ("-d" in found and count == 1) or ("-u" in found and count > 1):
            continue
        call.out(f"{count:>7} {line}\n" if "-c" in found else f"{line}\n")
    return inputs.status


def _ranges(given: str) -> list[tuple[int, int]]:
    ranges = []
    for piece in given.split(","):
        low, dash, high = piece.partition("-")
        if not re.fullmatch(r"\d*", low) or not re.fullmatch(r"\d*", high) or piece in ("", "-"):
            raise UsageError(f"invalid field range '{given}'")
        first = int(low or 1)
        ranges.append((first, (int(high) if high else 1 << 30) if dash else first))
    return ranges


def cut(call: Call) -> int:
    found, paths = options(call, "d:f:c:b:s", ("delimiter=", "fields=", "characters="))
    characters = found.get("-c", found.get("-b", found.get("--characters")))
    given = characters or found.get("-f", found.get("--fields"))
    if given is None:
        raise UsageError("you must specify a list of bytes, characters, or fields")
    ranges, delimiter = _ranges(given), found.get("-d", found.get("--delimiter", "\t"))
    inputs = Inputs(call, paths)
    for line in inputs.lines():
        text = line.removesuffix("\n")
        if characters is None and delimiter not in text:
            if "-s" not in found:
                call.out(f"{text}\n")
            continue
        pieces = list(text) if characters is not None else text.split(delimiter)
        kept = [piece for index, piece in enumerate(pieces, 1) if any(low <= index <= high for low, high in ranges)]
        call.out(("" if characters is not None else delimiter).join(kept) + "\n")
    return inputs.status


def tr(call: Call) -> int:
    found, sets = options(call, "dsc")
    first, second = _characters(sets[0]) if sets else "", _characters(sets[1]) if len(sets) > 1 else ""
    text = call.stdin.read()
    chosen = {char for char in text if char not in first} if "-c" in found else set(first)
    if "-d" in found:
        text = "".join(char for char in text if char not in chosen)
    elif second:
        table = dict.fromkeys(chosen, second[-1]) if "-c" in found else dict(zip(first, second.ljust(len(first), second[-1]), strict=False))
        text = "".join(table.get(char, char) for char in text)
    if "-s" in found:
        squeezed = set(second or first)
        text = "".join(char for char, before in zip(text, "\0" + text, strict=False) if char != before or char not in squeezed)
    call.out(text)
    return 0


def _characters(given: str) -> str:
    classes = {
        "[:upper:]": "A-Z",
        "[:lower:]": "a-z",
        "[:digit:]": "0-9",
        "[:space:]": " \t\n\r\f\v",
        "[:alpha:]": "A-Za-z",
        "[:alnum:]": "A-Za-z0-9",
    }
    for name, value in classes.items():
        given = given.replace(name, value)
    text = echo_escapes(re.sub(r"\\([1-7][0-7]{0,2})", r"\\0\1", given))[0]
    return re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), text, flags=re.S)


def tee(call: Call) -> int:
    found, paths = options(call, "a")
    outputs, status = [], 0
    for path in paths:
        try:
            outputs.append(call.system.files.open_write(path, call.cwd, uid=call.uid, append="-a" in found))
        except OSError as error:
            status = call.fail(f"{path}: {error.strerror}")
    while line := call.stdin.readline():
        for output in outputs:
            output.write(line)
        call.out(line)
    return status


def seq(call: Call) -> int:
    words = list(call.argv[1:])
    separator = "\n"
    if words and words[0].startswith("-s"):
        given = words.pop(0)[2:]
        separator = given or (words.pop(0) if words else "")
    width = words[:1] == ["-w"]
    numbers = [int(word) for word in words[width:] if re.fullmatch(r"-?\d+", word)]
    if len(numbers) != len(words) - width or not 1 <= len(numbers) <= 3:
        raise UsageError(f"invalid floating point argument: '{words[-1]}'" if words else "missing operand")
    first, step, last = [(1, 1, numbers[-1]), (numbers[0], 1, numbers[-1]), (numbers[0], numbers[1 % len(numbers)], numbers[-1])][
        len(numbers) - 1
    ]
    found = [str(number) for number in range(first, last + (1 if step > 0 else -1), step or 1)]
    digits = max(map(len, found), default=0) if width else 0
    if found:
        call.out(separator.join(number.zfill(digits) for number in found) + "\n")
    return 0


def diff(call: Call) -> int:
    import difflib

    found, paths = options(call, "uqw", status=2)
    if len(paths) != 2:
        raise UsageError("missing operand", 2)
    inputs = Inputs(call, paths)
    texts = [stream.read().splitlines(keepends=True) for _, stream in inputs]
    if inputs.status:
        return 2
    if texts[0] == texts[1]:
        return 0
    if "-q" in found:
        call.out(f"Files {paths[0]} and {paths[1]} differ\n")
    else:
        call.out("".join(difflib.unified_diff(texts[0], texts[1], paths[0], paths[1])) if "-u" in found else _normal(texts[0], texts[1]))
    return 1


def _normal(old: list[str], new: list[str]) -> str:
    import difflib

    def span(low: int, high: int) -> str:
        return str(high) if high - low <= 1 else f"{low + 1},{high}"

    out = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        left, right = (span(a, b) if b > a else str(a)), (span(c, d) if d > c else str(c))
        out.append(f"{left}{ {'replace': 'c', 'delete': 'd', 'insert': 'a'}[kind] }{right}\n".replace(" ", ""))
        out += [f"< {line}" for line in old[a:b]] + (["---\n"] if kind == "replace" else []) + [f"> {line}" for line in new[c:d]]
    return "".join(out)


TOOLS = {
    "cat": cat,
    "head": head,
    "tail": tail,
    "wc": wc,
    "grep": grep,
    "egrep": grep,
    "fgrep": grep,
    "sort": sort,
    "uniq": uniq,
    "cut": cut,
    "tr": tr,
    "tee": tee,
    "seq": seq,
    "diff": diff,
}
