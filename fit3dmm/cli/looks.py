"""How a training goes, in words and as a table."""

from collections.abc import Sequence

from rich.table import Table

from fit3dmm.regress.looks import Look


def look_line(look: Look) -> str:
    """How a training stands, in a line."""
    line = (
        f"step {look.step} ({look.steps_share:.0%}), {look.pictures} pictures, waited for "
        f"{look.waited}: held-out loss {look.loss:.4f} ({_said(look.parts)})"
    )
    if not look.photo_parts:
        return line
    worse = f", renders at most {look.worse:.1%} worse ({look.worst})" if look.worst else ""
    kept = "; kept" if look.is_best else "; not kept"
    return f"{line}; photos {look.photo_loss:.4f} ({_said(look.photo_parts)}){worse}{kept}"


def _said(parts: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in parts.items())


def looks_table(looks: Sequence[Look]) -> Table:
    """How a training went."""
    with_photos = any(look.photo_parts for look in looks)
    names = ("photos", "renders worse by", "kept") if with_photos else ()
    table = Table("step", "pictures", "hours", "held-out loss", *names)
    for look in looks:
        row = [look.step, look.pictures, f"{look.seconds / 3600:.2f}", f"{look.loss:.4f}"]
        if with_photos:
            row += [f"{look.photo_loss:.4f}", f"{look.worse:.1%}", "yes" if look.is_best else "no"]
        table.add_row(*map(str, row))
    return table
