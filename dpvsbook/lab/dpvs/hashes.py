"""The public hash functions that decide orders and choices in DPVS: Jenkins' one-at-a-time family, HalfSipHash's 64-bit stand-in
(SipHash-1-3 folded to 32 bits) and the MD5 based ring hash. They make list orders, LIP ports and mh/conhash choices come out as real."""

from __future__ import annotations

import hashlib

_M32 = 0xFFFFFFFF
_M64 = 0xFFFFFFFFFFFFFFFF


def _rot32(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _M32


def jhash_words(words: list[int], seed: int) -> int:
    """Bob Jenkins' lookup3 over 32-bit words, as `rte_jhash_32b(words, len(words), seed)` gives it."""
    a = b = c = (0xDEADBEEF + (len(words) << 2) + seed) & _M32
    at = 0
    left = len(words)
    while left > 3:
        a, b, c = (a + words[at]) & _M32, (b + words[at + 1]) & _M32, (c + words[at + 2]) & _M32
        a = ((a - c) & _M32) ^ _rot32(c, 4)
        c = (c + b) & _M32
        b = ((b - a) & _M32) ^ _rot32(a, 6)
        a = (a + c) & _M32
        c = ((c - b) & _M32) ^ _rot32(b, 8)
        b = (b + a) & _M32
        a = ((a - c) & _M32) ^ _rot32(c, 16)
        c = (c + b) & _M32
        b = ((b - a) & _M32) ^ _rot32(a, 19)
        a = (a + c) & _M32
        c = ((c - b) & _M32) ^ _rot32(b, 4)
        b = (b + a) & _M32
        at, left = at + 3, left - 3
    if left == 0:
        return c
    tail = words[at:]
    a = (a + tail[0]) & _M32
    if left > 1:
        b = (b + tail[1]) & _M32
    if left > 2:
        c = (c + tail[2]) & _M32
    c = ((c ^ b) - _rot32(b, 14)) & _M32
    a = ((a ^ c) - _rot32(c, 11)) & _M32
    b = ((b ^ a) - _rot32(a, 25)) & _M32
    c = ((c ^ b) - _rot32(b, 16)) & _M32
    a = ((a ^ c) - _rot32(c, 4)) & _M32
    b = ((b ^ a) - _rot32(a, 14)) & _M32
    return ((c ^ b) - _rot32(b, 24)) & _M32


def _rot64(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _M64


def hsiphash32(word: int, key: int) -> int:
    """SipHash-1-3 of one 32-bit word, both key halves `key`, folded to its low 32 bits."""
    v0, v1 = 0x736F6D6570736575 ^ key, 0x646F72616E646F6D ^ key
    v2, v3 = 0x6C7967656E657261 ^ key, 0x7465646279746573 ^ key

    def rounds(times: int, v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        for _ in range(times):
            v0 = (v0 + v1) & _M64
            v1 = _rot64(v1, 13) ^ v0
            v0 = _rot64(v0, 32)
            v2 = (v2 + v3) & _M64
            v3 = _rot64(v3, 16) ^ v2
            v0 = (v0 + v3) & _M64
            v3 = _rot64(v3, 21) ^ v0
            v2 = (v2 + v1) & _M64
            v1 = _rot64(v1, 17) ^ v2
            v2 = _rot64(v2, 32)
        return v0, v1, v2, v3

    block = (4 << 56) | word
    v0, v1, v2, v3 = rounds(1, v0, v1, v2, v3 ^ block)
    v0, v1, v2, v3 = rounds(3, v0 ^ block, v1, v2 ^ 0xFF, v3)
    return (v0 ^ v1 ^ v2 ^ v3) & _M32


def ring_hash(text: str) -> int:
    """The place of a string on the consistent-hash ring (signed 64 bits): the words of its MD5 summed, then mixed."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    value = sum(int.from_bytes(digest[at : at + 4], "little") for at in (0, 4, 8, 12)) & _M64
    value = (value + 0x7ED55D16 + (value << 12)) & _M64
    value = (value ^ 0xC761C23C) ^ (value >> 19)
    value = (value + 0x165667B1 + (value << 5)) & _M64
    value = ((value + 0xD3A2646C) & _M64) ^ ((value << 9) & _M64)
    value = (value + 0xFD7046C5 + (value << 3)) & _M64
    value = (value ^ 0xB55A4F09) ^ (value >> 16)
    value = (value * 3221225473) & _M64
    return value - (1 << 64) if value >> 63 else value
