"""Preflight: the known failures of a build, a start and a dpvs.conf, each as a check of one host, decided by what commands say there.

`look` reads a host, `seen` puts together what is known of a director, the modules of rules decide, `catalogue` names them by the ids of
their failures, and says which failures no command decides. All of it is pure: `steps.checks` does the one round trip.
"""
