"""A host's virtual file system: directories, files, links, devices, programs, and files made up as they are read (/proc).

Errors are OSError with the errno that the kernel would give. `uid` is who asks; root (0) may do everything."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import threading
import time
from collections.abc import Callable, Iterator

from dpvsbook.lab.shell import pattern as patterns
from dpvsbook.lab.shell.streams import Full, Null, Stream, Text, decode, encode

MEMORY_BACKED = ("/run", "/dev", "/proc", "/sys")  # a full disk doesn't reach these
LINKS = 20


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Node:
    kind = stat.S_IFREG

    def __init__(self, mode: int, uid: int = 0, gid: int = 0) -> None:
        self.permissions, self.uid, self.gid = mode, uid, gid
        self.modified = self.accessed = time.time()
        self.links = 1

    @property
    def mode(self) -> int:
        return self.kind | self.permissions

    @property
    def size(self) -> int:
        return 0

    def read(self) -> bytes:
        return b""

    def allows(self, uid: int, wanted: int) -> bool:
        """`wanted`: 4 read, 2 write, 1 execute or search."""
        if uid == 0:
            return wanted != 1 or isinstance(self, Directory) or bool(self.permissions & 0o111)
        return bool(self.permissions >> (6 if uid == self.uid else 0) & wanted)


class Directory(Node):
    kind = stat.S_IFDIR

    def __init__(self, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        super().__init__(mode, uid, gid)
        self.children: dict[str, Node] = {}

    @property
    def size(self) -> int:
        return 4096


class Regular(Node):
    def __init__(self, data: bytes = b"", mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        super().__init__(mode, uid, gid)
        self.data = bytearray(data)

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self) -> bytes:
        return bytes(self.data)


class Program(Node):
    """An executable that the emulator knows: `tool` is its name among the host's programs."""

    def __init__(self, tool: str) -> None:
        super().__init__(0o755)
        self.tool = tool

    @property
    def size(self) -> int:
        return 4

    def read(self) -> bytes:
        return b"\x7fELF"


class Link(Node):
    kind = stat.S_IFLNK

    def __init__(self, target: str) -> None:
        super().__init__(0o777)
        self.target = target

    @property
    def size(self) -> int:
        return len(self.target)


class Device(Node):
    kind = stat.S_IFCHR

    def __init__(self, opened: Callable[[], Stream], mode: int = 0o666) -> None:
        super().__init__(mode)
        self.opened = opened


class Virtual(Node):
    """Made up at each read; `write` takes what is written, if anything may be."""

    def __init__(self, text: Callable[[], str], write: Callable[[str], None] | None = None) -> None:
        super().__init__(0o644 if write else 0o444)
        self._text, self.written = text, write

    def read(self) -> bytes:
        return encode(self._text())


class _Writer(Stream):
    def __init__(self, files: FileSystem, node: Regular | Virtual, memory: bool) -> None:
        self._files, self._node, self._memory = files, node, memory

    def write(self, text: str) -> None:
        if not text:
            return
        if isinstance(self._node, Virtual):
            if self._node.written is None:
                raise failure(errno.EACCES)
            self._node.written(text)
            return
        if self._files.full and not self._memory:
            raise failure(errno.ENOSPC)
        with self._files.lock:
            self._node.data += encode(text)
            self._node.modified = time.time()


class FileSystem:
    def __init__(self) -> None:
        self.root = Directory()
        self.lock = threading.RLock()
        self.full = False

    # ---- finding

    def resolve(self, path: str, cwd: str = "/", *, follow: bool = True, uid: int = 0) -> tuple[str, Node | None, Directory | None]:
        """(canonical path, the node or None if only that is missing, its folder or None for /). A folder missing on the way raises."""
        for _ in range(LINKS):
            absolute = posixpath.join(cwd, path)
            where, node = "/", self.root
            parent: Directory | None = None
            names = [name for name in absolute.split("/") if name not in ("", ".")]
            found: Node | None = node
            for index, name in enumerate(names):
                if not isinstance(node, Directory):
                    raise failure(errno.ENOTDIR)
                if not node.allows(uid, 1):
                    raise failure(errno.EACCES)
                last = index == len(names) - 1
                if name == "..":
                    where = posixpath.dirname(where)
                    found = self._walk(where)
                    parent = self._folder(where)
                else:
                    parent, where = node, posixpath.join(where, name)
                    found = node.children.get(name)
                if found is None:
                    if last:
                        return where, None, parent
                    raise failure(errno.ENOENT)
                if isinstance(found, Link) and (follow or not last):
                    path = posixpath.join(posixpath.dirname(where), found.target, *names[index + 1 :])
                    break
                node = found  # type: ignore[assignment]
            else:
                if path.endswith("/") and not isinstance(found, Directory):
                    raise failure(errno.ENOTDIR)
                return where, found, parent
        raise failure(errno.ELOOP)

    def _walk(self, path: str) -> Node:
        node: Node = self.root
        for name in path.split("/"):
            if name and isinstance(node, Directory):
                node = node.children[name]
        return node

    def _folder(self, path: str) -> Directory | None:
        folder = self._walk(posixpath.dirname(path)) if path != "/" else None
        return folder if isinstance(folder, Directory) else None

    def node(self, path: str, cwd: str = "/", *, follow: bool = True, uid: int = 0) -> Node:
        found = self.resolve(path, cwd, follow=follow, uid=uid)[1]
        if found is None:
            raise failure(errno.ENOENT)
        return found

    def find(self, path: str, cwd: str = "/", *, follow: bool = True) -> Node | None:
        """The node, or None whatever the reason."""
        try:
            return self.resolve(path, cwd, follow=follow)[1]
        except OSError:
            return None

    def names(self, path: str, cwd: str = "/", *, uid: int = 0) -> list[str]:
        folder = self.node(path, cwd, uid=uid)
        if not isinstance(folder, Directory):
            raise failure(errno.ENOTDIR)
        if not folder.allows(uid, 4):
            raise failure(errno.EACCES)
        return sorted(folder.children)

    def glob(self, pattern: str, cwd: str) -> list[str]:
        """The existing paths that match, sorted; hidden ones only if the pattern shows the dot."""
        found = [("/" if pattern.startswith("/") else "")]
        for piece in [p for p in pattern.split("/") if p]:
            following = []
            for base in found:
                following += [posixpath.join(base, name) for name in self._matching(base, piece, cwd)]
            found = following
        if pattern.endswith("/"):
            found = [f"{path}/" for path in found if isinstance(self.find(path, cwd), Directory)]
        return sorted(found)

    def _matching(self, base: str, piece: str, cwd: str) -> Iterator[str]:
        folder = self.find(base or ".", cwd)
        if not isinstance(folder, Directory):
            return
        if not patterns.has_magic(piece):
            name = patterns.unescaped(piece)
            if name in (".", "..") or name in folder.children:
                yield name
            return
        for name in list(folder.children):
            if patterns.matches(piece, name) and (not name.startswith(".") or piece.startswith(".")):
                yield name

    # ---- reading and writing

    def read(self, path: str, cwd: str = "/", *, uid: int = 0) -> bytes:
        node = self.node(path, cwd, uid=uid)
        if isinstance(node, Directory):
            raise failure(errno.EISDIR)
        if not node.allows(uid, 4):
            raise failure(errno.EACCES)
        if node.accessed <= node.modified:  # as with relatime
            node.accessed = time.time()
        return node.read()

    def open_read(self, path: str, cwd: str = "/", *, uid: int = 0) -> Stream:
        node = self.node(path, cwd, uid=uid)
        if isinstance(node, Device):
            return node.opened()
        if not isinstance(node, Directory):
            return Text(decode(self.read(path, cwd, uid=uid)))
        raise failure(errno.EISDIR)

    def open_write(
        self, path: str, cwd: str = "/", *, uid: int = 0, append: bool = False, exclusive: bool = False, mode: int = 0o644
    ) -> Stream:
        with self.lock:
            where, node, parent = self.resolve(path, cwd, uid=uid)
            if node is None:
                node = self._add(where, parent, Regular(mode=mode, uid=uid, gid=uid), uid)
            elif isinstance(node, Directory):
                raise failure(errno.EISDIR)
            elif not node.allows(uid, 2):
                raise failure(errno.EACCES)
            elif isinstance(node, Device):
                return node.opened()
            elif exclusive and isinstance(node, Regular):
                raise failure(errno.EEXIST)
            elif isinstance(node, Program):
                raise failure(errno.ETXTBSY)
            elif isinstance(node, Regular) and not append:
                node.data.clear()
                node.modified = time.time()
            if not isinstance(node, Regular | Virtual):
                raise failure(errno.EACCES)
            return _Writer(self, node, where.startswith(MEMORY_BACKED))

    def _add(self, where: str, parent: Directory | None, node: Node, uid: int) -> Node:
        if parent is None:
            raise failure(errno.EEXIST)
        if not parent.allows(uid, 2):
            raise failure(errno.EACCES)
        if self.full and not where.startswith(MEMORY_BACKED):
            raise failure(errno.ENOSPC)
        parent.children[posixpath.basename(where)] = node
        parent.modified = time.time()
        return node

    def write(self, path: str, data: bytes | str, *, uid: int = 0, mode: int = 0o644) -> None:
        """The whole file at once, its folders made where they are missing (setting a host up)."""
        self.make_folders(posixpath.dirname(path))
        content = encode(data) if isinstance(data, str) else data
        with self.lock:
            where, _, parent = self.resolve(path)
            self._add(where, parent, Regular(content, mode, uid, uid), 0)

    def put(self, path: str, node: Node, cwd: str = "/", *, uid: int = 0) -> None:
        """A node where there is none yet."""
        with self.lock:
            where, existing, parent = self.resolve(path, cwd, follow=False, uid=uid)
            if existing is not None:
                raise failure(errno.EEXIST)
            self._add(where, parent, node, uid)

    def make_folders(self, path: str, mode: int = 0o755) -> None:
        where = "/"
        for name in path.split("/"):
            where = posixpath.join(where, name)
            if name and self.find(where) is None:
                self.put(where, Directory(mode))

    # ---- changing

    def remove(self, path: str, cwd: str = "/", *, uid: int = 0, folder: bool = False) -> None:
        """Unlink a file, or with `folder` an empty directory."""
        with self.lock:
            where, node, parent = self.resolve(path, cwd, follow=False, uid=uid)
            if node is None:
                raise failure(errno.ENOENT)
            if isinstance(node, Directory) != folder:
                raise failure(errno.EISDIR if isinstance(node, Directory) else errno.ENOTDIR)
            if isinstance(node, Directory) and node.children:
                raise failure(errno.ENOTEMPTY)
            if parent is None:
                raise failure(errno.EBUSY)
            if not parent.allows(uid, 2) or (parent.permissions & 0o1000 and uid not in (0, node.uid, parent.uid)):
                raise failure(errno.EACCES if not parent.allows(uid, 2) else errno.EPERM)
            del parent.children[posixpath.basename(where)]
            node.links -= 1

    def rename(self, old: str, new: str, cwd: str = "/", *, uid: int = 0) -> None:
        with self.lock:
            where, node, parent = self.resolve(old, cwd, follow=False, uid=uid)
            to, existing, folder = self.resolve(new, cwd, follow=False, uid=uid)
            if node is None:
                raise failure(errno.ENOENT)
            if node is existing:
                return
            if parent is None or folder is None or to.startswith(where + "/"):
                raise failure(errno.EINVAL)
            if not parent.allows(uid, 2) or not folder.allows(uid, 2):
                raise failure(errno.EACCES)
            if isinstance(existing, Directory):
                if not isinstance(node, Directory):
                    raise failure(errno.EISDIR)
                if existing.children:
                    raise failure(errno.ENOTEMPTY)
            folder.children[posixpath.basename(to)] = parent.children.pop(posixpath.basename(where))


def empty_system() -> FileSystem:
    """The folders and devices that every host has."""
    files = FileSystem()
    for path in (
        "/bin",
        "/dev/hugepages",
        "/etc",
        "/home",
        "/proc",
        "/run/lock",
        "/sys",
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        "/var/log",
    ):
        files.make_folders(path)
    files.put("/root", Directory(0o700))
    files.put("/tmp", Directory(0o1777))  # noqa: S108
    files.put("/var/run", Link("/run"))
    files.put("/sbin", Link("/usr/sbin"))
    for name, opened in {"null": Null, "zero": Null, "full": Full}.items():
        files.put(f"/dev/{name}", Device(opened))
    lock = files.node("/run/lock")
    lock.permissions = 0o1777
    return files
