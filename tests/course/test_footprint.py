"""Who holds which bytes: measured on 2 ranks, and what docs/figures shows is what is measured today."""

import json

from page_checks import ROOT
from test_torchrun import labkit

FIGURES = ROOT / "docs" / "figures"


def test_fsdp_holds_half_of_what_ddp_holds_and_the_page_shows_it(tmp_path) -> None:
    finished = labkit("bytes", "--out", tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "who_holds_which_bytes.png").read_bytes().startswith(b"\x89PNG")
    held = json.loads((tmp_path / "who_holds_which_bytes.json").read_text())["bytes"]
    assert held == json.loads((FIGURES / "who_holds_which_bytes.json").read_text())["bytes"]
    assert held["DDP"] == held["one process"] * 2
    for ddp, fsdp in zip(held["DDP"], held["FSDP2"], strict=True):
        assert all(fsdp[part] <= 0.55 * ddp[part] for part in ddp)
