"""Building DPDK and DPVS on a host: what is to be done, as data; a script that does it there by itself; and what became of it."""
