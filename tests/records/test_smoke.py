from __future__ import annotations

from dpvsbook import records


def test_life(tmp_path):
    record = records.Record.create(tmp_path, "rb", mode="apply", params={"a": 1}, params_sha256="x", params_file="p.yaml")
    record.event("verdict", verdict="converged")
    record.finish("converged")
    record.seal()
    assert records.verify(record.path) == []
    assert records.read(records.locate(tmp_path, "latest")).verdict == "converged"
