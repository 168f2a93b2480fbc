"""The inner loop of the studio's light: one pass over the vertices."""

import math
from typing import no_type_check

import numpy as np

from fit3dmm._kernels import kernel


@kernel
@no_type_check
def light_points(
    points,
    normals,
    albedo,
    sky,
    gloss,
    sharpness,
    probe_sh,
    directions,
    colours,
    wraps,
    shadows,
    out,
):
    """Fill `out` (n, 6): colour of each point, and what white would reflect there.

    All arrays are float32; `shadows` is (lamps, n). The lobe is Blinn's, normalised (J. Blinn,
    "Models of light reflection for computer synthesized pictures", SIGGRAPH 1977).

    Args:
        points: (n, 3) in `cam`.
        normals: (n, 3), of unit length.
        albedo: (n, 3), linear.
        sky: (n) share of open sky.
        gloss: (n) strength of the highlights.
        sharpness: (n) exponent of their lobe.
        probe_sh: (9, 3) harmonics of the light around.
        directions: (lamps, 3) unit vectors towards the lamps.
        colours: (lamps, 3) light of each.
        wraps: (lamps, 3) how far past the edge light reaches, by channel.
        shadows: (lamps, n) share of each lamp that arrives.
        out: (n, 6), filled.
    """
    y0 = np.float32(0.28209479)
    y1 = np.float32(0.48860251)
    y2 = np.float32(1.09254843)
    y2z = np.float32(0.31539157)
    y2d = np.float32(0.54627422)
    basis = np.empty(9, np.float32)
    white = np.empty(3, np.float32)
    shine = np.empty(3, np.float32)
    for i in range(len(points)):
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        far = 1 / math.sqrt(px * px + py * py + pz * pz)
        vx, vy, vz = -px * far, -py * far, -pz * far
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        # Ribbons and open shells are seen from both sides.
        if x * vx + y * vy + z * vz < -0.3:
            x, y, z = -x, -y, -z
        basis[0] = y0
        basis[1] = y1 * y
        basis[2] = y1 * z
        basis[3] = y1 * x
        basis[4] = y2 * x * y
        basis[5] = y2 * y * z
        basis[6] = y2z * (3 * z * z - 1)
        basis[7] = y2 * x * z
        basis[8] = y2d * (x * x - y * y)
        for c in range(3):
            total = np.float32(0)
            for k in range(9):
                total += basis[k] * probe_sh[k, c]
            # Order-2 harmonics can dip below zero where no light comes from.
            white[c] = max(total, np.float32(0.02)) * sky[i]
            shine[c] = 0
        for lamp in range(len(directions)):
            dx, dy, dz = directions[lamp, 0], directions[lamp, 1], directions[lamp, 2]
            lit = shadows[lamp, i]
            cosine = x * dx + y * dy + z * dz
            for c in range(3):
                wrap = wraps[lamp, c]
                reached = (cosine + wrap) / (1 + wrap)
                if reached > 0:
                    white[c] += min(reached, np.float32(1)) * lit * colours[lamp, c]
            if gloss[i] > 0 and lit > 0:
                hx, hy, hz = vx + dx, vy + dy, vz + dz
                aligned = (x * hx + y * hy + z * hz) / math.sqrt(hx * hx + hy * hy + hz * hz)
                if aligned > 0:
                    power = sharpness[i]
                    lobe = gloss[i] * lit * (power + 8) / 25 * aligned**power
                    for c in range(3):
                        shine[c] += lobe * colours[lamp, c]
        for c in range(3):
            out[i, c] = white[c] * albedo[i, c] + shine[c]
            out[i, 3 + c] = white[c]
