"""Build data/light_probes.h5: small light probes from a folder of equirectangular EXR files.

    pip install "fit3dmm[build]"
    npm pack @pmndrs/assets && tar xzf pmndrs-assets-*.tgz
    python tools/build_light_probes.py package/hdri data/light_probes.h5

Each picture is averaged down to 64 x 32 pixels and scaled to a mean radiance of 1 over the sphere;
row 0 is the zenith. The same files give the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np

from fit3dmm.synthetic.probes import FORMAT

ROWS, COLUMNS = 32, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="EXR files, one a probe")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.exr"))
    if not paths:
        parser.error(f"there is no EXR file in {arguments.folder}")
    header = {
        "layout": (
            "linear RGB radiance with sRGB primaries, (rows, columns, 3): row 0 around the zenith, "
            "columns once around the vertical; mean over the sphere 1"
        ),
        "licence": "CC0-1.0",
        "provenance": "hdri folder of npm @pmndrs/assets",
    }
    with FORMAT.writing(arguments.out, **header) as file:
        for path in paths:
            file.create_dataset(
                path.stem,
                data=reduce(read_exr(path)).astype(np.float16),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
                track_times=False,
            )
    print(f"{len(paths)} probes, {arguments.out.stat().st_size / 1e3:.0f} kB")


def read_exr(path: Path) -> np.ndarray:
    """Radiance `(height, width, 3)`."""
    import OpenEXR

    with OpenEXR.File(str(path)) as file:
        channels = file.channels()
        (pixels,) = [channels[name].pixels for name in ("RGB", "RGBA") if name in channels]
    return np.clip(pixels[..., :3].astype(np.float64), 0, None)


def reduce(radiance: np.ndarray) -> np.ndarray:
    """Means over blocks of equal angles, and the mean over the sphere scaled to 1."""
    height, width = radiance.shape[:2]
    if height % ROWS or width % COLUMNS:
        raise SystemExit(
            f"Expected a multiple of {COLUMNS} x {ROWS} pixels, got {width} x {height}."
        )
    solid_angle = np.sin((np.arange(height) + 0.5) / height * np.pi)[:, None, None]
    blocks = (ROWS, height // ROWS, COLUMNS, width // COLUMNS, -1)
    light = (radiance * solid_angle).reshape(blocks).sum(axis=(1, 3))
    area = np.broadcast_to(solid_angle, radiance.shape).reshape(blocks).sum(axis=(1, 3))
    return light / area / (light.sum() / area.sum())


if __name__ == "__main__":
    main()
