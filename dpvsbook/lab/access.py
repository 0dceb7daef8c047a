"""The lab's keys, and the files that let ssh, scp, Ansible and dpvsbook in: ssh_config and known_hosts."""

from __future__ import annotations

from pathlib import Path


def make_keys(state: Path, hosts: list[str]) -> dict[str, str]:
    """Host name to its public key ("ssh-ed25519 AAAA…"). Keys that are there already are kept: a lab that comes back is the same to ssh."""
    import asyncssh

    def public(path: Path, comment: str) -> str:
        if not path.exists():
            key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
            path.touch(mode=0o600)
            path.write_bytes(key.export_private_key())
            path.with_name(f"{path.name}.pub").write_bytes(key.export_public_key())
        return " ".join(asyncssh.read_private_key(path).export_public_key().decode().split()[:2])

    public(state / "id_ed25519", "dpvsbook lab")
    return {host: public(state / f"host_{host}", host) for host in hosts}


def write_client_files(state: Path, logins: dict[str, tuple[int, str, tuple[str, ...]]], keys: dict[str, str]) -> None:
    """`logins`: host to its port on loopback, its user, and other names that the params reach it by."""
    folder = state.resolve()
    (state / "known_hosts").write_text("".join(f"[127.0.0.1]:{port} {keys[host]}\n" for host, (port, _, _) in logins.items()))
    blocks = [
        f"""\
Host {" ".join((host, *aliases))}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {_quoted(folder / "id_ed25519")}
    IdentitiesOnly yes
    UserKnownHostsFile {_quoted(folder / "known_hosts")}
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    LogLevel ERROR
"""
        for host, (port, user, aliases) in logins.items()
    ]
    (state / "ssh_config").write_text("\n".join(blocks))


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text
