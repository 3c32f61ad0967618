"""A label on paper: one small page with a few lines, as a PDF that any reader opens."""

from __future__ import annotations

from collections.abc import Sequence

#: A6, in points.
WIDTH, HEIGHT = 298, 420


def one_page(lines: Sequence[str]) -> bytes:
    """A PDF of one page with these lines, the first in large letters. What the font lacks becomes a question mark."""
    text = _drawn(lines)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    return _file(objects)


def _drawn(lines: Sequence[str]) -> bytes:
    drawn, y = [], HEIGHT - 50
    for n, line in enumerate(lines):
        size = 18 if n == 0 else 11
        drawn.append(b"BT /F1 %d Tf 24 %d Td (%s) Tj ET" % (size, y, _escaped(line)))
        y -= 2 * size if n == 0 else size + 5
    return b"\n".join(drawn)


def _escaped(line: str) -> bytes:
    plain = line.encode("cp1252", "replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _file(objects: Sequence[bytes]) -> bytes:
    """The objects in a row, and where each begins."""
    written, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    return written + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (count, table, count, len(written))
    )
