"""What a rule costs with the tools that people configure hosts with: Ansible and pyinfra, a task for each rule."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import bulk, labs
from benchmarks.measure import Row, left_out, seconds
from benchmarks.parsing import OTHERS

FEW, MORE, ROUNDS = 1, 6, 3
RULES = 4 * bulk.SERVICES


def commands(count: int) -> list[str]:
    """So many rules, each as a command of its own."""
    return [f"ipvsadm {rule}" for rule in labs.rules(1 + count // 4).splitlines()[:count]]


def ansible(lab: labs.AnyLab, folder: Path, count: int) -> list[str]:
    """A playbook of raw tasks: no facts, nothing copied over, connections kept open."""
    tasks = "\n".join(f"    - raw: {command}" for command in commands(count))
    (folder / "play.yaml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}\n")
    (folder / "inventory").write_text("lb1\n")
    arguments = f"-F {lab.ssh_config} -o ControlMaster=auto -o ControlPersist=60s"
    playbook = [str(OTHERS / "ansible-playbook"), "-i", str(folder / "inventory"), f"--ssh-common-args={arguments}"]
    return [*playbook, str(folder / "play.yaml")]


def pyinfra(lab: labs.AnyLab, folder: Path, count: int) -> list[str]:
    """A deploy of server.shell operations."""
    data = {"ssh_config_file": str(lab.ssh_config), "ssh_known_hosts_file": str(lab.state / "known_hosts"), "ssh_user": "root"}
    (folder / "inventory.py").write_text(f"hosts = [('lb1', {data!r})]\n")
    shells = "\n".join(f"server.shell(name={command!r}, commands=[{command!r}])" for command in commands(count))
    (folder / "deploy.py").write_text(f"from pyinfra.operations import server\n{shells}\n")
    return [str(OTHERS / "pyinfra"), "-y", str(folder / "inventory.py"), str(folder / "deploy.py")]


def per_rule(lab: labs.AnyLab, folder: Path, tool: Callable[[labs.AnyLab, Path, int], list[str]]) -> float:
    """Seconds a rule: what more rules take longer than few, so that the tool's start and login don't count."""
    env = {**os.environ, "HOME": str(folder), "PATH": f"{OTHERS}{os.pathsep}{os.environ['PATH']}"}

    def run(count: int) -> float:
        argv = tool(lab, folder, count)
        labs.empty(lab)
        took = seconds(lambda: ended.append(subprocess.run(argv, capture_output=True, text=True, env=env, cwd=folder, timeout=60)))
        there = lab.exec("lb1", ["ipvsadm", "-S", "-n"]).stdout.count("\n")
        wanted = sum(" -P " not in command for command in commands(count))
        if there != wanted:
            raise SystemExit(f"{argv[0]}: {there} rules are there, not {wanted}\n{ended[-1].stdout}{ended[-1].stderr}")
        return took

    ended: list[subprocess.CompletedProcess[str]] = []
    run(FEW)
    return statistics.median((run(MORE) - run(FEW)) / (MORE - FEW) for _ in range(ROUNDS))


def measure() -> Iterator[Row]:
    """Per rule, theirs beside ours (all of 1,000 services, from open to finish, divided by the rules)."""
    tools = {"Ansible (raw)": ("ansible-playbook", ansible), "pyinfra (server.shell)": ("pyinfra", pyinfra)}
    missing = [name for name, (program, _) in tools.items() if not (OTHERS / program).exists()]
    for name in missing:
        yield left_out(f"a rule: ours / {name}", "it is not installed (make bench installs it)")
    if len(missing) == len(tools):
        return
    with labs.up(bulk.SERVICES) as (lab, params, folder):
        labs.empty(lab)
        argv = [sys.executable, "-m", "benchmarks.bulk", str(params), str(lab.ssh_config), str(folder / "outputs")]
        ours = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)["seconds"] / RULES
        for name, (_, tool) in tools.items():
            if name not in missing:
                theirs = per_rule(lab, folder, tool)
                yield Row(
                    f"a rule: ours / {name}", ours * 1000, theirs * 1000, ours / theirs, unit="ms", note=f"{theirs / ours:,.0f} times"
                )
