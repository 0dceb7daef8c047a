"""The judge: sequences of dpip and ipvsadm commands on real DPVS and on the emulated director, compared. See docs/conformance.md."""
