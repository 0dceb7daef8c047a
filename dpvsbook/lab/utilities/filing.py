"""ls, cp, mv, rm, chmod, stat and their like."""

from __future__ import annotations

import errno
import posixpath
import random
import re
import stat as modes
import string
import time

from dpvsbook.lab.files import Directory, Link, Node, Program, Regular, failure
from dpvsbook.lab.shell.streams import decode
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import UsageError, number, options, reason

NAMES = {0: "root"}


def _owner(call: Call, uid: int) -> str:
    return call.system.user_name(uid)


def _long(call: Call, name: str, node: Node) -> str:
    when = time.strftime("%b %e %H:%M", time.localtime(node.modified))
    links = 2 if isinstance(node, Directory) else 1
    arrow = f" -> {node.target}" if isinstance(node, Link) else ""
    return f"{modes.filemode(node.mode)} {links} {_owner(call, node.uid)} {_owner(call, node.gid)} {node.size:>6} {when} {name}{arrow}\n"


def ls(call: Call) -> int:
    found, paths = options(call, "laAd1hF", status=2)
    status, many = 0, len(paths) > 1
    for path in sorted(paths) or ["."]:
        try:
            node = call.system.files.node(path, call.cwd, follow="-l" not in found, uid=call.uid)
            if isinstance(node, Directory) and "-d" not in found:
                names = [n for n in call.system.files.names(path, call.cwd, uid=call.uid) if "-a" in found or "-A" in found or n[0] != "."]
                entries = [(name, node.children[name]) for name in names]
                if "-a" in found:
                    entries = [(".", node), ("..", node), *entries]
                if many:
                    call.out(f"{path}:\n")
                if "-l" in found:
                    call.out(f"total {4 * sum(1 for _, entry in entries if entry.size)}\n")
            else:
                entries = [(path, node)]
        except OSError as error:
            call.err(f"ls: cannot access '{path}': {reason(error)}\n")
            status = 2
            continue
        call.out("".join(_long(call, name, entry) if "-l" in found else f"{name}\n" for name, entry in entries))
    return status


def mkdir(call: Call) -> int:
    found, paths = options(call, "pm:", ("parents", "mode="))
    files, status = call.system.files, 0
    mode = number(found.get("-m", found.get("--mode", "755")), "mode", base=8)
    for path in paths:
        try:
            if "-p" in found or "--parents" in found:
                where = posixpath.join(call.cwd, path)
                steps = [posixpath.join("/", *where.split("/")[1 : i + 1]) for i in range(1, len(where.split("/")))]
                for step in steps:
                    existing = files.resolve(step, uid=call.uid)[1]
                    if existing is None:
                        files.put(step, Directory(mode if step == steps[-1] else 0o755, call.uid, call.uid), uid=call.uid)
                    elif not isinstance(existing, Directory):
                        raise failure(errno.EEXIST)
            else:
                files.put(path, Directory(mode, call.uid, call.uid), call.cwd, uid=call.uid)
        except OSError as error:
            status = call.fail(f"cannot create directory '{path}': {reason(error)}")
    return status


def rmdir(call: Call) -> int:
    _, paths = options(call)
    status = 0
    for path in paths:
        try:
            call.system.files.remove(path, call.cwd, uid=call.uid, folder=True)
        except OSError as error:
            status = call.fail(f"failed to remove '{path}': {reason(error)}")
    return status


def rm(call: Call) -> int:
    found, paths = options(call, "rRfv", ("recursive", "force"))
    force, recursive = "-f" in found or "--force" in found, "-r" in found or "-R" in found or "--recursive" in found
    status = 0
    for path in paths:
        try:
            node = call.system.files.node(path, call.cwd, follow=False, uid=call.uid)
            if isinstance(node, Directory) and not recursive:
                raise failure(errno.EISDIR)
            _remove_tree(call, posixpath.join(call.cwd, path), node)
        except OSError as error:
            if not (force and error.errno in (errno.ENOENT, errno.ENOTDIR)):
                status = call.fail(f"cannot remove '{path}': {reason(error)}")
    return status


def _remove_tree(call: Call, path: str, node: Node) -> None:
    if isinstance(node, Directory):
        for name, child in list(node.children.items()):
            _remove_tree(call, posixpath.join(path, name), child)
    call.system.files.remove(path, uid=call.uid, folder=isinstance(node, Directory))


def _destinations(call: Call, paths: list[str]) -> list[tuple[str, str]]:
    if len(paths) < 2:
        raise UsageError("missing file operand" if not paths else f"missing destination file operand after '{paths[0]}'")
    *sources, target = paths
    into = isinstance(call.system.files.find(target, call.cwd), Directory)
    if len(sources) > 1 and not into:
        raise UsageError(f"target '{target}' is not a directory")
    return [(source, posixpath.join(target, posixpath.basename(source.rstrip("/"))) if into else target) for source in sources]


def mv(call: Call) -> int:
    found, paths = options(call, "fnT")
    status = 0
    for source, target in _destinations(call, paths):
        if "-n" in found and call.system.files.find(target, call.cwd) is not None:
            continue
        try:
            call.system.files.rename(source, target, call.cwd, uid=call.uid)
        except OSError as error:
            status = call.fail(
                f"cannot stat '{source}': {reason(error)}"
                if error.errno == errno.ENOENT
                else f"cannot move '{source}' to '{target}': {reason(error)}"
            )
    return status


def cp(call: Call) -> int:
    found, paths = options(call, "rRpfaT", ("preserve",))
    status = 0
    for source, target in _destinations(call, paths):
        try:
            node = call.system.files.node(source, call.cwd, uid=call.uid)
            if isinstance(node, Directory) and not {"-r", "-R", "-a"} & set(found):
                status = call.fail(f"-r not specified; omitting directory '{source}'")
                continue
            _copy(
                call,
                posixpath.join(call.cwd, source),
                posixpath.join(call.cwd, target),
                node,
                keep=bool({"-p", "-a", "--preserve"} & set(found)),
            )
        except OSError as error:
            missing = error.errno == errno.ENOENT and call.system.files.find(source, call.cwd) is None
            status = call.fail(
                f"cannot stat '{source}': {reason(error)}" if missing else f"cannot create regular file '{target}': {reason(error)}"
            )
    return status


def _copy(call: Call, source: str, target: str, node: Node, *, keep: bool) -> None:
    files = call.system.files
    if isinstance(node, Directory):
        if files.find(target) is None:
            files.put(target, Directory(node.permissions, call.uid, call.uid), uid=call.uid)
        for name, child in list(node.children.items()):
            _copy(call, posixpath.join(source, name), posixpath.join(target, name), child, keep=keep)
        return
    if isinstance(node, Program):
        files.put(target, Program(node.tool), uid=call.uid)
        return
    new = files.find(target) is None
    files.open_write(target, uid=call.uid).write(decode(files.read(source, uid=call.uid)))
    made = files.node(target)
    if keep or new:
        made.permissions = node.permissions
    if keep:
        made.uid, made.gid, made.modified = (node.uid, node.gid, node.modified) if call.uid == 0 else (made.uid, made.gid, node.modified)


def ln(call: Call) -> int:
    found, paths = options(call, "sfn")
    if len(paths) != 2:
        raise UsageError("missing file operand")
    files, (target, name) = call.system.files, paths
    if isinstance(files.find(name, call.cwd), Directory) and "-n" not in found:
        name = posixpath.join(name, posixpath.basename(target))
    try:
        node: Node = Link(target) if "-s" in found else files.node(target, call.cwd, uid=call.uid)
        if "-f" in found and files.find(name, call.cwd, follow=False) is not None:
            files.remove(name, call.cwd, uid=call.uid)
        files.put(name, node, call.cwd, uid=call.uid)
    except OSError as error:
        return call.fail(f"failed to create {'symbolic' if '-s' in found else 'hard'} link '{name}': {reason(error)}")
    return 0


def touch(call: Call) -> int:
    """-c, -a, -m, and -d YYYY-MM-DD."""
    found, paths = options(call, "camd:")
    try:
        when = time.mktime(time.strptime(found["-d"], "%Y-%m-%d")) if "-d" in found else time.time()
    except ValueError:
        raise UsageError(f"invalid date format '{found['-d']}'") from None
    status = 0
    for path in paths:
        try:
            node = call.system.files.find(path, call.cwd)
            if node is None:
                if "-c" not in found:
                    call.system.files.open_write(path, call.cwd, uid=call.uid, append=True)
                continue
            if "-m" not in found or "-a" in found:
                node.accessed = when
            if "-a" not in found or "-m" in found:
                node.modified = when
        except OSError as error:
            status = call.fail(f"cannot touch '{path}': {reason(error)}")
    return status


def _changed_mode(now: int, change: str, *, folder: bool) -> int:
    if re.fullmatch(r"[0-7]{1,4}", change):
        return int(change, 8)
    for clause in change.split(","):
        match = re.fullmatch(r"([ugoa]*)([-+=])([rwxXst]*)", clause)
        if match is None:
            raise UsageError(f"invalid mode: '{change}'")
        who, operator, letters = match.groups()
        bits = sum({"r": 4, "w": 2, "x": 1, "X": 1 if folder or now & 0o111 else 0}.get(letter, 0) for letter in set(letters))
        for name, shift in (("u", 6), ("g", 3), ("o", 0)):
            if who and name not in who and "a" not in who:
                continue
            mask = bits << shift
            now = now | mask if operator == "+" else now & ~mask if operator == "-" else now & ~(7 << shift) | mask
    return now


def _each(call: Call, paths: list[str], recursive: bool) -> list[tuple[str, Node]]:
    found: list[tuple[str, Node]] = []
    for path in paths:
        node = call.system.files.node(path, call.cwd, uid=call.uid)
        found.append((path, node))
        if recursive and isinstance(node, Directory):
            found += _each(call, [posixpath.join(path, name) for name in node.children], True)
    return found


def _permitted(call: Call, path: str, node: Node) -> None:
    if call.uid not in (0, node.uid):
        raise OSError(errno.EPERM, "Operation not permitted", path)


def chmod(call: Call) -> int:
    words = list(call.argv[1:])
    recursive = "-R" in words
    words = [word for word in words if word not in ("-R", "-f", "--")]
    if len(words) < 2:
        raise UsageError("missing operand")
    try:
        for path, node in _each(call, words[1:], recursive):
            _permitted(call, path, node)
            node.permissions = _changed_mode(node.permissions, words[0], folder=isinstance(node, Directory))
    except OSError as error:
        what = "changing permissions of" if error.errno == errno.EPERM else "cannot access"
        return call.fail(f"{what} '{error.filename or words[1]}': {reason(error)}")
    return 0


def chown(call: Call) -> int:
    found, operands = options(call, "Rh")
    if len(operands) < 2:
        raise UsageError("missing operand")
    user, _, group = operands[0].replace(".", ":").partition(":")
    try:
        for path, node in _each(call, operands[1:], "-R" in found):
            if call.uid != 0:
                raise OSError(errno.EPERM, "Operation not permitted", path)
            node.uid = _uid(call, user) if user else node.uid
            node.gid = _uid(call, group) if group else node.gid
    except OSError as error:
        what = "changing ownership of" if error.errno == errno.EPERM else "cannot access"
        return call.fail(f"{what} '{error.filename or operands[1]}': {reason(error)}")
    return 0


def _uid(call: Call, name: str) -> int:
    if name.isdigit():
        return int(name)
    for line in decode(call.system.files.read("/etc/passwd")).splitlines():
        user, _, uid, *_ = [*line.split(":"), "", "", ""]
        if user == name and uid.isdigit():
            return int(uid)
    raise UsageError(f"invalid user: '{name}'")


def mktemp(call: Call) -> int:
    found, paths = options(call, "dp:tqu", ("tmpdir=",))
    template = paths[0] if paths else "tmp.XXXXXXXXXX"
    folder = found.get("-p", found.get("--tmpdir", call.environment.get("TMPDIR", "/tmp") if not paths or "-t" in found else ""))  # noqa: S108
    marks = re.search(r"X{3,}(?=[^X/]*$)", template)
    if marks is None:
        raise UsageError(f"too few X's in template '{template}'")
    letters = "".join(random.choice(string.ascii_letters + string.digits) for _ in marks[0])  # noqa: S311
    path = posixpath.join(folder, template[: marks.start()] + letters + template[marks.end() :])
    try:
        call.system.files.put(
            path, Directory(0o700, call.uid, call.uid) if "-d" in found else Regular(b"", 0o600, call.uid, call.uid), call.cwd, uid=call.uid
        )
    except OSError as error:
        return call.fail(f"failed to create {'directory' if '-d' in found else 'file'} via template '{template}': {reason(error)}")
    call.out(f"{path}\n")
    return 0


def stat(call: Call) -> int:
    found, paths = options(call, "c:L", ("format=", "printf="))
    template = found.get("-c", found.get("--format", found.get("--printf")))
    if template is None:
        raise UsageError("only -c FORMAT is known here")
    status = 0
    for path in paths:
        try:
            node = call.system.files.node(path, call.cwd, follow="-L" in found, uid=call.uid)
        except OSError as error:
            status = call.fail(f"cannot statx '{path}': {reason(error)}")
            continue
        kind = (
            "directory"
            if isinstance(node, Directory)
            else "symbolic link"
            if isinstance(node, Link)
            else "regular file"
            if node.size
            else "regular empty file"
        )
        values = {
            "a": f"{node.permissions:o}",
            "A": modes.filemode(node.mode),
            "s": str(node.size),
            "u": str(node.uid),
            "g": str(node.gid),
            "U": _owner(call, node.uid),
            "G": _owner(call, node.gid),
            "n": path,
            "F": kind,
            "X": str(int(node.accessed)),
            "Y": str(int(node.modified)),
            "f": f"{node.mode:x}",
            "h": str(node.links),
            "%": "%",
        }
        text = re.sub(r"%([a-zA-Z%])", lambda m, values=values: values.get(m[1], "?"), template)  # type: ignore[misc]
        call.out(text if "--printf" in found else f"{text}\n")
    return status


def basename(call: Call) -> int:
    words = call.argv[1:]
    if not words:
        raise UsageError("missing operand")
    name = posixpath.basename(words[0].rstrip("/")) or "/"
    call.out((name.removesuffix(words[1]) if len(words) > 1 and name != words[1] else name) + "\n")
    return 0


def dirname(call: Call) -> int:
    if len(call.argv) < 2:
        raise UsageError("missing operand")
    call.out((posixpath.dirname(call.argv[1].rstrip("/")) or ("/" if call.argv[1].startswith("/") else ".")) + "\n")
    return 0


def readlink(call: Call) -> int:
    found, paths = options(call, "fen")
    status = 0
    for path in paths:
        try:
            where, node, _ = call.system.files.resolve(path, call.cwd, follow="-f" in found or "-e" in found, uid=call.uid)
            if "-f" in found or ("-e" in found and node is not None):
                call.out(f"{where}\n")
            elif isinstance(node, Link):
                call.out(f"{node.target}\n")
            else:
                status = 1
        except OSError:
            status = 1
    return status


TOOLS = {
    "ls": ls,
    "mkdir": mkdir,
    "rmdir": rmdir,
    "rm": rm,
    "mv": mv,
    "cp": cp,
    "ln": ln,
    "touch": touch,
    "chmod": chmod,
    "chown": chown,
    "mktemp": mktemp,
    "stat": stat,
    "basename": basename,
    "dirname": dirname,
    "readlink": readlink,
    "realpath": readlink,
}
