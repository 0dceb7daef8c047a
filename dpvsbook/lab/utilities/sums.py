"""Checksums and base64."""

from __future__ import annotations

import base64 as b64
import hashlib

from dpvsbook.lab.shell.streams import decode, encode
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import Inputs, number, options


def _checksum(call: Call) -> int:
    found, paths = options(call, "cb", ("check", "status"))
    algorithm = call.name.removesuffix("sum")
    inputs = Inputs(call, paths)
    if "-c" not in found and "--check" not in found:
        for path, stream in inputs:
            call.out(f"{hashlib.new(algorithm, encode(stream.read())).hexdigest()}  {path}\n")
        return inputs.status
    status = 0
    for line in inputs.lines():
        digest, _, path = line.rstrip("\n").partition("  ")
        node = call.system.files.find(path, call.cwd)
        good = node is not None and hashlib.new(algorithm, node.read()).hexdigest() == digest
        if "--status" not in found:
            call.out(f"{path}: {'OK' if good else 'FAILED'}\n")
        status |= not good
    return status or inputs.status


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


def cksum(call: Call) -> int:
    """POSIX's CRC: over the bytes, then over the length's bytes, low ones first."""
    _, paths = options(call)
    table = _crc_table()
    inputs = Inputs(call, paths)
    for path, stream in inputs:
        data = encode(stream.read())
        value, length = 0, len(data)
        tail = length.to_bytes((length.bit_length() + 7) // 8, "little")
        for byte in data + tail:
            value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
        call.out(f"{value ^ 0xFFFFFFFF} {length}{'' if path == '-' else ' ' + path}\n")
    return inputs.status


def base64(call: Call) -> int:
    found, paths = options(call, "dw:", ("decode", "wrap="))
    inputs = Inputs(call, paths)
    for _, stream in inputs:
        text = stream.read()
        if "-d" in found or "--decode" in found:
            try:
                call.out(decode(b64.b64decode("".join(text.split()), validate=True)))
            except ValueError:
                return call.fail("invalid input")
            continue
        line, width = b64.b64encode(encode(text)).decode(), number(found.get("-w", found.get("--wrap", "76")), "wrap size")
        call.out("".join(f"{line[i : i + width]}\n" for i in range(0, len(line), width)) if width else line)
    return inputs.status


TOOLS = {"sha256sum": _checksum, "md5sum": _checksum, "cksum": cksum, "base64": base64}
