"""The report: one page, out of the record alone, that needs nothing from the network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dpvsbook import report
from dpvsbook.plots import topology

from . import sample


def test_the_report_of_a_converged_run(tmp_path: Path) -> None:
    record = sample.converged(tmp_path)
    page = report.write(record.path).read_text()
    for text in (
        "Converged",
        "10.0.0.100/32 is not on dpdk1 yet",
        "dpip addr add 192.168.100.200/32 dev dpdk0 sapool",
        "ipvsadm -D -t 10.0.0.100:80",
        "20 of 20 requests from client answered 200",
        "tcp 10.0.0.101:443 is on the director and not in the params",
        "SHA256:lb1",
        "$ ipvsadm -S -n",
        '<svg class="dpvs-topo"',
    ):
        assert text in page
    assert page.count('class="plot"') == 2
    scripts = [path.name for path in (tmp_path / "_static").iterdir()]
    assert len(scripts) == 1
    assert f'<script src="../../_static/{scripts[0]}"></script>' in page
    assert (tmp_path / "_static" / scripts[0]).stat().st_size > 1_000_000
    assert len(page) < 200_000
    report.write(sample.converged(tmp_path).path)
    assert [path.name for path in (tmp_path / "_static").iterdir()] == scripts


def test_it_fetches_nothing_and_links_only_into_its_record(tmp_path: Path) -> None:
    record = sample.converged(tmp_path)
    page = report.write(record.path).read_text()
    without_figures = re.sub(r'<script type="application/json">.*?</script>', "", page, flags=re.S)
    assert re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", without_figures) == []
    record.seal()
    for link in re.findall(r'href="([^"#]+)"', without_figures):
        assert (record.path / link).exists() or link == "notebook.ipynb", link


def test_the_report_of_a_failed_run_starts_with_what_went_wrong(tmp_path: Path) -> None:
    page = report.write(sample.failed(tmp_path).path).read_text()
    assert page.index("What went wrong") < page.index('id="topology"')
    for text in (
        "are not there when read back",
        "Look at log/lb1.log, then run again with --resume.",
        "not there",
        "apply-service",
        "pending",
    ):
        assert text in page
    assert "_static" not in page


def test_whatever_a_host_says_stays_text(tmp_path: Path) -> None:
    record = sample.create(tmp_path)
    evil = "</script></pre><script>alert(1)</script>"
    record.event("open", hosts=[{"host": evil, "role": evil, "hostname": evil}])
    record.event("plan", step=evil, director="lb1", changes=[{"action": "add", "key": evil, "reason": evil, "commands": [evil]}])
    record.event("check", name=evil, ok=False, detail=evil)
    record.command("lb1", sample.Result(evil, evil, evil))
    record.event("figure", name="evil")
    record.write_json("data/evil.plotly.json", {"data": [{"name": evil}], "layout": {"title": {"text": evil}}})
    record.finish("failed", evil)
    page = report.write(record.path).read_text()
    assert "<script>alert" not in page
    assert "\\u003c/script>" in page


@pytest.mark.parametrize("verdict", ["changes-pending", "interrupted", "unreachable", "running", "bad-params"])
def test_every_verdict_and_an_empty_record_have_a_report(tmp_path: Path, verdict: str) -> None:
    record = sample.create(tmp_path, params={})
    if verdict != "running":
        record.finish(verdict)  # type: ignore[arg-type]
    page = report.write(record.path).read_text()
    assert "No step was reached" in page


def test_a_long_plan_and_a_long_log_are_cut(tmp_path: Path) -> None:
    record = sample.create(tmp_path)
    change = {"action": "add", "kind": "server", "reason": "not there", "commands": ["ipvsadm -a"], "inverse": ["ipvsadm -d"]}
    record.event("plan", step="service", director="lb1", changes=[{**change, "key": f"server {number}"} for number in range(4000)])
    record.command("lb1", sample.Result("ipvsadm -ln", "x" * 80 + "\n" * 1 + "line\n" * 200_000))
    record.finish("changes-pending")
    page = report.write(record.path).read_text()
    assert "and 3700 more" in page
    assert "all of it is in" in page
    assert len(page) < 1_200_000


def test_the_topology_of_two_arms_and_of_one() -> None:
    two = topology(sample.PARAMS)
    for text in ("VIP 10.0.0.100:80 tcp rr", "LIP 192.168.100.200", "wan 10.0.0.0/16", "lan 192.168.100.0/24", "web :80 weight 1"):
        assert text in two
    one = topology(
        {
            **sample.PARAMS,
            "directors": [{"name": "lb1", "devices": [{"name": "dpdk0", "network": "lan"}]}],
            "services": [{**sample.PARAMS["services"][0], "network": "lan"}],
        }
    )
    assert one.count('<line class="net') == 2  # the client's own network is there too, on its own
    assert two.count('<line class="net') == 2


def test_a_large_topology_stays_a_picture() -> None:
    servers = [{"address": f"192.168.{n // 250}.{n % 250 + 1}", "port": 80} for n in range(500)]
    services = [{**sample.PARAMS["services"][0], "name": f"s{n}", "real_servers": servers} for n in range(20)]
    directors = [{**sample.PARAMS["directors"][0], "name": f"lb{n}"} for n in range(12)]
    picture = topology({**sample.PARAMS, "services": services, "directors": directors})
    assert "more real servers" in picture
    assert "more directors" in picture
    assert len(picture) < 40_000


def test_names_in_the_picture_are_text() -> None:
    assert "<b>" not in topology({**sample.PARAMS, "name": "<b>", "hosts": [{**sample.PARAMS["hosts"][0], "name": "<b>"}]})
