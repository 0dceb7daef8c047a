"""One dpvs process and its tools, to the letter, without I/O: state, datapath, `dpip`, `ipvsadm` and `dpvs` itself.

dpvs = Dpvs([Device("dpdk0", "02:00:00:00:00:01"), Device("dpdk1", "02:00:00:00:00:02")])
ipvsadm.main(dpvs, ["ipvsadm", "-A", "-t", "10.0.0.100:80", "-s", "rr"], "", out, err, {})   # -> exit status
decision = dpvs.deliver(Flow("tcp", "10.0.0.48", 40000, "10.0.0.100", 80, "dpdk1"))
dpvs.settle(decision.conn, "served", traffic.http(decision.method, 4, 74, 155))
"""

from __future__ import annotations

from dpvsbook.lab.dpvs.datapath import answers_arp
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.flows import Decision, Endpoint, Flow
from dpvsbook.lab.dpvs.process import Dpvs, Faults, Settings
from dpvsbook.lab.dpvs.traffic import Exchange

__all__ = ["Decision", "Device", "Dpvs", "Endpoint", "Exchange", "Faults", "Flow", "Settings", "answers_arp"]
