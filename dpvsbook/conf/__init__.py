"""dpvs.conf as data: every item that there is, reading, checking, writing, and what a change needs. Pure: text in, values out.

DPVS itself takes almost anything: what it doesn't know it skips, what is out of range it replaces, and both only say so in its log.
So a file is checked before DPVS sees it.
"""
