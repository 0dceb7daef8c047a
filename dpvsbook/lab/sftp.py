"""SFTP and scp onto a host's virtual file system."""

# ruff: noqa: ARG002  (asyncssh names the arguments)

from __future__ import annotations

import contextlib
import errno
import posixpath
import stat
from collections.abc import AsyncIterator
from typing import Any

import asyncssh

from dpvsbook.lab.files import Device, Directory, FileSystem, Link, Node, Regular, failure

SPACE = 1 << 30


class _Open:
    """An open file: reads and writes at offsets."""

    def __init__(self, files: FileSystem, node: Node, *, append: bool, memory: bool) -> None:
        self.files, self.node, self.append, self._memory = files, node, append, memory
        self._made_up = None if isinstance(node, Regular) else node.read()

    def read(self, offset: int, size: int) -> bytes:
        data = self.node.data if isinstance(self.node, Regular) else self._made_up or b""
        return bytes(data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> int:
        if isinstance(self.node, Device):
            return len(data)
        if not isinstance(self.node, Regular):
            raise failure(errno.EACCES)
        if self.files.full and not self._memory:
            raise failure(errno.ENOSPC)
        with self.files.lock:
            content = self.node.data
            start = len(content) if self.append else offset
            if len(content) < start:
                content.extend(bytes(start - len(content)))
            content[start : start + len(data)] = data
        return len(data)


class VirtualSFTPServer(asyncssh.SFTPServer):
    """`uid` is who is logged in; relative paths start in `home`."""

    def __init__(self, chan: Any, files: FileSystem, uid: int, home: str) -> None:
        super().__init__(chan)
        self._files, self._uid, self._home = files, uid, home

    def _path(self, path: bytes) -> str:
        return posixpath.join(self._home, path.decode("utf-8", "surrogateescape"))

    def _attrs(self, node: Node) -> asyncssh.SFTPAttrs:
        when = int(node.modified)
        kind = {stat.S_IFDIR: asyncssh.FILEXFER_TYPE_DIRECTORY, stat.S_IFLNK: asyncssh.FILEXFER_TYPE_SYMLINK}.get(
            node.kind, asyncssh.FILEXFER_TYPE_REGULAR
        )
        size = len(node.read()) if node.kind == stat.S_IFREG else node.size
        return asyncssh.SFTPAttrs(
            type=kind, size=size, uid=node.uid, gid=node.gid, permissions=node.mode, atime=when, mtime=when, nlink=node.links
        )

    def format_user(self, uid: int | None) -> str:
        return "root" if uid == 0 else str(uid)

    def format_group(self, gid: int | None) -> str:
        return "root" if gid == 0 else str(gid)

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        name = self._path(path)
        if pflags & asyncssh.FXF_WRITE:
            exists = self._files.find(name) is not None
            if pflags & asyncssh.FXF_EXCL and exists:
                raise failure(errno.EEXIST)
            if not exists and not pflags & asyncssh.FXF_CREAT:
                raise failure(errno.ENOENT)
            mode = attrs.permissions & 0o7777 if attrs.permissions is not None else 0o644
            self._files.open_write(name, uid=self._uid, append=not pflags & asyncssh.FXF_TRUNC, mode=mode)
        where, node, _ = self._files.resolve(name, uid=self._uid)
        if node is None:
            raise failure(errno.ENOENT)
        if isinstance(node, Directory):
            raise failure(errno.EISDIR)
        if not pflags & asyncssh.FXF_WRITE and not node.allows(self._uid, 4):
            raise failure(errno.EACCES)
        return _Open(self._files, node, append=bool(pflags & asyncssh.FXF_APPEND), memory=where.startswith(("/run", "/dev")))

    def close(self, file_obj: object) -> None:
        return

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        assert isinstance(file_obj, _Open)  # noqa: S101
        return file_obj.read(offset, size)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        assert isinstance(file_obj, _Open)  # noqa: S101
        return file_obj.write(offset, data)

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return self._attrs(self._files.node(self._path(path), uid=self._uid))

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return self._attrs(self._files.node(self._path(path), follow=False, uid=self._uid))

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        assert isinstance(file_obj, _Open)  # noqa: S101
        return self._attrs(file_obj.node)

    def _set(self, node: Node, attrs: asyncssh.SFTPAttrs) -> None:
        if self._uid not in (0, node.uid):
            raise failure(errno.EPERM)
        if attrs.size is not None and isinstance(node, Regular):
            del node.data[attrs.size :]
        if attrs.permissions is not None:
            node.permissions = attrs.permissions & 0o7777
        if attrs.uid is not None and attrs.gid is not None:
            if self._uid and (attrs.uid, attrs.gid) != (node.uid, node.gid):
                raise failure(errno.EPERM)
            node.uid, node.gid = attrs.uid, attrs.gid
        if attrs.mtime is not None:
            node.modified = attrs.mtime

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        self._set(self._files.node(self._path(path), uid=self._uid), attrs)

    lsetstat = setstat

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        assert isinstance(file_obj, _Open)  # noqa: S101
        self._set(file_obj.node, attrs)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        folder = self._files.node(self._path(path), uid=self._uid)
        if not isinstance(folder, Directory):
            raise failure(errno.ENOTDIR)
        entries: dict[str, Node] = {".": folder, "..": folder, **folder.children}
        for name, node in entries.items():
            yield asyncssh.SFTPName(name.encode("utf-8", "surrogateescape"), attrs=self._attrs(node))

    def remove(self, path: bytes) -> None:
        self._files.remove(self._path(path), uid=self._uid)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        mode = attrs.permissions & 0o7777 if attrs.permissions is not None else 0o755
        self._files.put(self._path(path), Directory(mode, self._uid, self._uid), uid=self._uid)

    def rmdir(self, path: bytes) -> None:
        self._files.remove(self._path(path), uid=self._uid, folder=True)

    def realpath(self, path: bytes) -> bytes:
        name = posixpath.normpath(self._path(path))
        with contextlib.suppress(OSError):
            name = self._files.resolve(name, uid=self._uid)[0]
        return name.encode("utf-8", "surrogateescape")

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if self._files.find(self._path(newpath)) is not None:
            raise failure(errno.EEXIST)
        self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._files.rename(self._path(oldpath), self._path(newpath), uid=self._uid)

    def readlink(self, path: bytes) -> bytes:
        node = self._files.node(self._path(path), follow=False, uid=self._uid)
        if not isinstance(node, Link):
            raise failure(errno.EINVAL)
        return node.target.encode()

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        self._files.put(self._path(newpath), Link(oldpath.decode("utf-8", "surrogateescape")), uid=self._uid)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        self._files.put(self._path(newpath), self._files.node(self._path(oldpath), uid=self._uid), uid=self._uid)

    def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        free = 0 if self._files.full else SPACE // 4096
        return asyncssh.SFTPVFSAttrs(bsize=4096, frsize=4096, blocks=SPACE // 4096, bfree=free, bavail=free, namemax=255)

    def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:
        return self.statvfs(b"/")

    def fsync(self, file_obj: object) -> None:
        return

    def exit(self) -> None:
        """OpenSSH's scp wants an exit status, like that of a real sftp-server."""
        self.channel.exit(0)
