"""Downloads, against a server on this machine that breaks off, refuses, and lies."""

import dataclasses
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fit3dmm._errors import InputError
from fit3dmm.model import download as downloads
from fit3dmm.model.download import DOWNLOADS, content_sha256, download_model
from fit3dmm.model.files import load_model, write_stored
from fit3dmm.model.formats import ict
from fit3dmm.model.http import fetch, sha256
from fit3dmm.model.library import models_folder, user_folder
from tests.model import source_files as made
from tests.toy import toy_stored


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` by path; each of `breaks` cuts one answer short."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: dict[str, bytes] = {}
        self.breaks: list[int] = []
        self.ranges: list[str | None] = []
        self.ranges_supported = True

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        whole = self.server.content.get(self.path.lstrip("/"))
        if whole is None:
            self.send_error(404)
            return
        first = 0
        if asked and self.server.ranges_supported:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(whole):
                self.send_error(416)
                return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(whole) - first))
        self.end_headers()
        last = first + self.server.breaks.pop(0) if self.server.breaks else len(whole)
        self.wfile.write(whole[first:last])

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    # A proxy of the machine must not be asked for its own address.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A user folder of our own, where the toy plays the shipped model."""
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path / "home"))
    write_stored(toy_stored(), tmp_path / "donor.h5")
    monkeypatch.setattr(downloads, "find_model", lambda name: tmp_path / "donor.h5")
    return tmp_path / "home"


def test_a_file_arrives_with_progress_and_digest(server, tmp_path):
    server.content["a.bin"] = bytes(range(256)) * 3000
    seen: list[tuple[int, int | None]] = []
    digest = fetch(
        server.url("a.bin"), tmp_path / "a.bin", lambda done, total: seen.append((done, total))
    )
    assert (tmp_path / "a.bin").read_bytes() == server.content["a.bin"]
    assert digest == sha256(tmp_path / "a.bin")
    assert seen[0] == (0, 768_000)
    assert seen[-1] == (768_000, 768_000)
    assert not list(tmp_path.glob("*.part"))


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.content["a.bin"] = bytes(range(256)) * 3000
    server.breaks = [300_000, 100_000]
    fetch(server.url("a.bin"), tmp_path / "a.bin", pause_s=0.0)
    assert (tmp_path / "a.bin").read_bytes() == server.content["a.bin"]
    assert server.ranges == [None, "bytes=300000-", "bytes=400000-"]


def test_a_later_call_goes_on_too(server, tmp_path):
    server.content["a.bin"] = bytes(range(256)) * 3000
    server.breaks = [100_000] * 4
    with pytest.raises(InputError, match=r"goes on from the 0\.4 MB that are here"):
        fetch(server.url("a.bin"), tmp_path / "a.bin", pause_s=0.0)
    assert not (tmp_path / "a.bin").exists()
    fetch(server.url("a.bin"), tmp_path / "a.bin", pause_s=0.0)
    assert server.ranges[-1] == "bytes=400000-"
    assert (tmp_path / "a.bin").read_bytes() == server.content["a.bin"]


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.content["a.bin"] = bytes(range(256)) * 3000
    server.breaks = [300_000]
    server.ranges_supported = False
    fetch(server.url("a.bin"), tmp_path / "a.bin", pause_s=0.0)
    assert (tmp_path / "a.bin").read_bytes() == server.content["a.bin"]


def test_a_part_longer_than_the_file_starts_again(server, tmp_path):
    server.content["a.bin"] = b"short"
    (tmp_path / "a.bin.part").write_bytes(b"of an older, longer file")
    fetch(server.url("a.bin"), tmp_path / "a.bin", pause_s=0.0)
    assert (tmp_path / "a.bin").read_bytes() == b"short"


def test_refusals_and_no_network_are_told(server, tmp_path):
    with pytest.raises(InputError, match=r"answers 404 .*fit3dmm model convert"):
        fetch(server.url("missing.bin"), tmp_path / "a.bin")
    with pytest.raises(InputError, match="check the network or the proxy"):
        # Port 1 of this machine: nothing listens there.
        fetch("http://127.0.0.1:1/a.bin", tmp_path / "a.bin", pause_s=0.0)


def gnm_from(server: Server, folder: Path) -> downloads.Download:
    made.write_gnm(folder)
    for name in ("gnm_head.npz", "head_sparse_68.txt"):
        server.content[name] = (folder / name).read_bytes()
    urls = (server.url("gnm_head.npz"), server.url("head_sparse_68.txt"))
    return dataclasses.replace(DOWNLOADS["gnm"], urls=urls, size_mb=1)


def test_gnm_is_fetched_converted_and_known_by_name(server, home, tmp_path):
    done = download_model(gnm_from(server, tmp_path / "gnm"))
    model = load_model("gnm")
    assert model.info.family == "gnm"
    assert all(digest in model.info.provenance for digest in done.sha256)
    assert done.path == models_folder() / "gnm.h5"
    assert not list((user_folder() / "downloads").iterdir())


def test_what_is_no_model_is_told_and_not_kept(server, home, tmp_path):
    download = gnm_from(server, tmp_path / "gnm")
    server.content["gnm_head.npz"] = b"<html>please log in</html>"
    with pytest.raises(InputError, match="can be converted"):
        download_model(download)
    assert not list((user_folder() / "downloads").iterdir())
    assert not (models_folder() / "gnm.h5").exists()


@pytest.fixture
def ict_archive(server, tmp_path, monkeypatch) -> downloads.Download:
    """A repository's archive with more than the model in it, and a trap."""
    parts = made.ict_parts()
    monkeypatch.setattr(ict, "_PARTS", parts)
    monkeypatch.setattr(ict, "_N_VERTICES", parts["eye_right"][1])
    monkeypatch.setattr(ict, "_N_IDENTITY", 3)
    folder = tmp_path / "clone" / "FaceXModel"
    made.write_ict(folder)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, f"ICT-FaceKit-1234/FaceXModel/{file.name}")
        archive.writestr("ICT-FaceKit-1234/README.md", "text")
        archive.writestr("ICT-FaceKit-1234/FaceXModel/../../../evil.obj", "v 0 0 0")
    server.content["archive.zip"] = (tmp_path / "archive.zip").read_bytes()
    return dataclasses.replace(
        DOWNLOADS["ict"],
        urls=(server.url("archive.zip"),),
        size_mb=1,
        content_sha256=content_sha256(folder),
    )


def test_ict_is_taken_from_its_archive(ict_archive, home, tmp_path):
    done = download_model(ict_archive)
    assert load_model("ict").n_identity == 3
    assert done.completion.residual_mean_mm < 0.5
    assert not list(tmp_path.rglob("evil.obj"))


def test_an_archive_with_other_content_is_told(ict_archive, home):
    with pytest.raises(InputError, match="holds other files than ICT-FaceKit Light"):
        download_model(dataclasses.replace(ict_archive, content_sha256="0" * 64))


def test_no_room_is_told_before_the_first_byte(ict_archive, home, server):
    with pytest.raises(InputError, match="MB are needed"):
        download_model(dataclasses.replace(ict_archive, size_mb=10**12))
    assert server.ranges == []
