"""Runbooks for DPVS load-balancer clusters that an operator can read, run, replay and trust."""
