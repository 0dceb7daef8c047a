"""Raw captures of a DPVS release, for the parsers: `python -m tests.record --dpvs FOLDER OUT`. See docs/conformance.md."""
