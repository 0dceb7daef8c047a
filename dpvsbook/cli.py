"""The `dpvsbook` command. Each command imports what it needs when it runs, so that `--help` and completion answer at once."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated

import typer

from dpvsbook import __version__
from dpvsbook.errors import DpvsbookError

EXIT_CODES = "Exit codes: 0 converged, 2 changes pending (preview), 3 failed, 4 bad params, 5 unreachable."

app = typer.Typer(
    help=f"Runbooks for DPVS load-balancer clusters that an operator can read, run, replay and trust. {EXIT_CODES}",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lab_app = typer.Typer(
    help="A lab to run it all on: real SSH servers on loopback in front of emulated hosts, or real DPVS in namespaces.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
records_app = typer.Typer(help="The archived records of runs: list, show, verify, compare.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(lab_app, name="lab")
app.add_typer(records_app, name="records")

ParamsFiles = Annotated[list[Path], typer.Argument(help="Params files (YAML).", show_default=False)]
SshConfig = Annotated[
    Path | None,
    typer.Option(
        help="ssh_config to reach the hosts by; ~/.ssh/config where it isn't given.", show_default=False, envvar="DPVSBOOK_SSH_CONFIG"
    ),
]
Outputs = Annotated[Path, typer.Option(help="Where the records are.", envvar="DPVSBOOK_OUTPUTS")]
State = Annotated[Path, typer.Option(help="The lab's folder: its ssh_config, keys and state.", envvar="DPVSBOOK_LAB")]


def version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        typer.echo(f"dpvsbook {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Runbooks for DPVS."""


@app.command()
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Params files (YAML).", show_default=False)] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a params file, for editors.")] = False,
) -> None:
    """Check params files: every mistake at once, with its line, before any host is touched. Exits 4 where there is one."""
    from dpvsbook import params

    if schema:
        import json

        typer.echo(json.dumps(params.schema(), indent=2))
        return
    if not files:
        raise typer.BadParameter("name at least one params file (or --schema)")
    bad = 0
    for file in files:
        try:
            found = params.load(file)
        except DpvsbookError as error:
            typer.echo(str(error), err=True)
            bad += 1
        else:
            directors, services = len(found.directors), len(found.services)
            typer.echo(f"{file}: fine: {found.name}, {_count(directors, 'director')}, {_count(services, 'service')}, method {found.method}")
    if bad:
        raise typer.Exit(4)


@app.command()
def plan(files: ParamsFiles, ssh_config: SshConfig = None, outputs: Outputs = Path("outputs")) -> None:
    """Show what would change on the directors, and change nothing: the drift check. Exits 2 where something would."""
    from dpvsbook import steps
    from dpvsbook.book import open_book

    pending = 0
    for file in files:
        book = open_book(file, "preview", ssh_config=ssh_config, outputs=outputs)
        for step in (steps.preflight, *steps.CONFIGURATION):
            typer.echo(repr(step(book)))
        steps.verify(book)
        typer.echo(repr(book.finish()))
        pending += book.pending
    if pending:
        raise typer.Exit(2)


@app.command()
def run(
    notebook: Annotated[Path, typer.Argument(help="The runbook: a notebook.", show_default=False)],
    files: ParamsFiles,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this nothing is changed: a preview.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what the last applied run of these params changed.")] = False,
    jobs: Annotated[int, typer.Option(help="How many runs at once.", min=1, max=64)] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a failed run stopped: what is there already is skipped.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that a whole run may take.", min=1)] = 3600,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: another of the notebook's parameters. May be given several times.")
    ] = None,
    outputs: Outputs = Path("outputs"),
    ssh_config: SshConfig = None,
    here: Annotated[
        bool, typer.Option("--here", help="The only director of the params is this machine, reached over an sshd of the run's own.")
    ] = False,
) -> None:
    """Execute a runbook against the hosts of each params file, and archive the record. Preview is the default."""
    from dpvsbook import runs
    from dpvsbook.progress import Progress

    if apply and undo:
        raise typer.BadParameter("--apply and --undo exclude each other")
    mode: runs.Mode = "apply" if apply else "undo" if undo else "preview"
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(several=len(files) > 1))
        if here:
            ssh_config = stack.enter_context(_this_machine(files))
        done = runs.run_many(
            notebook,
            files,
            mode=mode,
            outputs=outputs,
            ssh_config=ssh_config,
            resume=resume,
            timeout=timeout,
            jobs=jobs,
            extra=_settings(settings or []),
            on_event=progress.event,
        )
    for result in done:
        progress.verdict(result)
    raise typer.Exit(
        max((result.exit_code for result in done), key=lambda code: (code != 2, code), default=0) if any(r.exit_code for r in done) else 0
    )


def _settings(words: list[str]) -> dict[str, object]:
    """NAME=VALUE, the value as JSON has it (true, 3), else text. The notebook says which there are, and of which type."""
    import json

    found: dict[str, object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier() or name in ("params", "mode"):
            raise typer.BadParameter(f"--set {word}: write NAME=VALUE, with a parameter of the notebook other than params and mode")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _this_machine(files: list[Path]) -> AbstractContextManager[Path]:
    """An ssh_config in which the params' director is this machine."""
    from dpvsbook import params
    from dpvsbook.errors import ParamsError
    from dpvsbook.lab.here import here

    names = [director.name for file in files for director in params.load(file).directors]
    if len(names) != 1:
        raise ParamsError(
            f"--here makes this machine the one director, and the params have {len(names)}: {', '.join(names)}",
            remedy="Copy params/build.yaml, or reach them over SSH, without --here.",
        )
    return here(names[0])


@app.command()
def trust(
    files: ParamsFiles,
    host: Annotated[list[str] | None, typer.Option("--host", help="Only this host (again for more).", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask: only where the fingerprints were compared by other means.")] = False,
    ssh_config: SshConfig = None,
) -> None:
    """Show the host keys of the hosts in the params that aren't known yet, and pin them after you have compared them."""
    from dpvsbook import hosts, params
    from dpvsbook.errors import HostError

    failed: list[HostError] = []
    for found in [params.load(file) for file in files]:
        logins = {**{d.name: d.ssh for d in found.directors}, **{h.name: h.ssh for h in found.hosts}}
        for name, ssh in ((name, ssh) for name, ssh in logins.items() if not host or name in host):
            try:
                target = hosts.Target.resolve(name, ssh, ssh_config=ssh_config)
                offered = hosts.offered_key(target)
                if hosts.is_known(target, offered):
                    typer.echo(f"{name}: {offered.fingerprint} is known already")
                    continue
                hosts.must_be_new(target, offered)
                if yes or typer.confirm(f"{name} ({target.address}:{target.port}) shows {offered.fingerprint}. Trust it?"):
                    typer.echo(f"{name}: pinned in {hosts.trust(target, offered)}")
            except HostError as error:  # the other hosts may be well
                failed.append(error)
                typer.echo(f"dpvsbook: {error}", err=True)
    if failed:
        raise typer.Exit(failed[0].exit_code)


@lab_app.command("up")
def lab_up(
    params: Annotated[Path, typer.Argument(help="Params file: the lab's topology is the cluster's.")],
    backend: Annotated[str, typer.Option(help="emulated (anywhere, no root) or netns (real DPVS; Linux, root).")] = "emulated",
    dpvs: Annotated[
        Path | None, typer.Option(help="netns: the folder with dpvs, dpip and ipvsadm.", envvar="DPVSBOOK_DPVS", show_default=False)
    ] = None,
    state: State = Path(".lab"),
) -> None:
    """Bring a lab up in the background, and say how to reach it."""
    from dpvsbook import lab

    found = lab.up(params, backend=backend, state=state, dpvs=dpvs)
    typer.echo(f"lab {found.name} is up ({backend}): {', '.join(found.hosts)}")
    typer.echo(f"  ssh -F {found.ssh_config} {found.hosts[0]}")
    typer.echo(f"  dpvsbook run notebooks/fnat-two-arm.ipynb {params} --ssh-config {found.ssh_config}")


@lab_app.command("down")
def lab_down(
    state: State = Path(".lab"),
    name: Annotated[str, typer.Option(help="Also what a crashed netns lab of this name left, where no note of it is left.")] = "",
) -> None:
    """Take the lab down; fine where there is none."""
    from dpvsbook import lab

    typer.echo("lab is down" if lab.down(state, name=name) else "no lab was up")


@lab_app.command("status")
def lab_status(state: State = Path(".lab")) -> None:
    """What runs in the lab. Exits 3 where none is up."""
    from dpvsbook import lab

    typer.echo(lab.find(state).status())


@lab_app.command("exec", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab_exec(
    context: typer.Context,
    host: Annotated[str, typer.Argument(help="Which host.", autocompletion=lambda: _lab_hosts())],
    state: State = Path(".lab"),
) -> None:
    """Run a command on a lab host: its output, and its exit code. `dpvsbook lab exec lb1 -- ipvsadm -ln`"""
    from dpvsbook import lab

    ended = lab.find(state).exec(host, context.args)
    sys.stdout.write(ended.stdout)
    sys.stderr.write(ended.stderr)
    raise typer.Exit(ended.exit)


@lab_app.command("shell")
def lab_shell(
    host: Annotated[str, typer.Argument(help="Which host.", autocompletion=lambda: _lab_hosts())], state: State = Path(".lab")
) -> None:
    """A prompt on a lab host, with history."""
    from dpvsbook import lab

    raise typer.Exit(lab.find(state).shell(host))


@lab_app.command("inject")
def lab_inject(
    host: Annotated[str, typer.Argument(help="Which host.", autocompletion=lambda: _lab_hosts())],
    fault: Annotated[str, typer.Argument(help="Which fault; --list names them.")],
    value: Annotated[
        str | None, typer.Argument(help="The fault's value, where it takes one (seconds, a number of commands).", show_default=False)
    ] = None,
    state: State = Path(".lab"),
) -> None:
    """Break something in the emulated lab, to see what happens; the fault `none` mends it all."""
    from dpvsbook import lab
    from dpvsbook.lab.emulated import Lab

    found = lab.find(state)
    if not isinstance(found, Lab):
        raise DpvsbookError(
            "faults are injected in the emulated lab; this one is real", remedy="Break it as in the field: dpvsbook lab exec HOST -- …"
        )
    typer.echo(found.inject(host, fault, value))


@records_app.command("list")
def records_list(outputs: Outputs = Path("outputs")) -> None:
    """Every record, newest first."""
    from dpvsbook import records

    entries = records.listing(outputs)
    if not entries:
        typer.echo(f"no records under {outputs}")
    for entry in entries:
        typer.echo(f"{entry.started}  {entry.verdict:<16} {entry.mode:<8} {entry.path}")


RecordName = Annotated[
    str, typer.Argument(help="A record: its folder, its run id, or a runbook's name for its newest.", show_default=False)
]


@records_app.command("show")
def records_show(record: RecordName, outputs: Outputs = Path("outputs")) -> None:
    """What a run did: verdict, who, when, changes, checks."""
    from dpvsbook import records

    typer.echo(records.describe(records.locate(outputs, record)))


@records_app.command("verify")
def records_verify(record: RecordName, outputs: Outputs = Path("outputs")) -> None:
    """Is every file of a record as it was sealed? Exits 3 where one is not."""
    from dpvsbook import records

    path = records.locate(outputs, record)
    problems = records.verify(path)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(3)
    typer.echo(f"{path}: sealed, and every file is as it was")


@records_app.command("diff")
def records_diff(one: RecordName, other: RecordName, outputs: Outputs = Path("outputs")) -> None:
    """What differs between two runs: params, changes, versions, checks. Exits 2 where something does."""
    from dpvsbook import records

    found = records.diff(records.locate(outputs, one), records.locate(outputs, other))
    for difference in found:
        typer.echo(str(difference))
    if found:
        raise typer.Exit(2)
    typer.echo("no difference")


def _lab_hosts() -> list[str]:
    from dpvsbook import lab

    try:
        return list(lab.find(Path(".lab")).hosts)
    except DpvsbookError:
        return []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def main() -> None:
    """The command's entry: what a person can mend is a message, never a traceback."""
    try:
        app()
    except DpvsbookError as error:
        typer.echo(f"dpvsbook: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("dpvsbook: interrupted", err=True)
        sys.exit(3)
