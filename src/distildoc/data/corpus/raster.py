"""From a vector page to pixels: where the page lands in the image, and the rendering of it by PDFium."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # [height, width] grey or [height, width, 3] RGB
Matrix = NDArray[np.float64]  # [3, 3], maps (x, y, 1) in points, y downwards, to pixels

LONGEST_PX = 1000  # longest side of a page image: about 90 dots an inch for A4 and letter


@dataclass(frozen=True)
class Placement:
    """Size of an image in pixels and the map from the page's points into it."""

    width_px: int
    height_px: int
    matrix: Matrix

    @cached_property
    def _rows(self) -> list[list[float]]:
        """The matrix as plain floats, with which four corners cost a tenth of what they cost in numpy."""
        rows: list[list[float]] = self.matrix.tolist()
        return rows

    def box(self, box_pt: tuple[float, float, float, float]) -> tuple[float, float, float, float] | None:
        """The axis-aligned hull of a box in pixels, clamped to the image; None if less than a pixel remains."""
        (a, b, c), (d, e, f), (g, h, i) = self._rows
        xs, ys = [], []
        for x in box_pt[::2]:
            for y in box_pt[1::2]:
                depth = g * x + h * y + i
                xs.append((a * x + b * y + c) / depth)
                ys.append((d * x + e * y + f) / depth)
        left, right = max(0.0, min(xs)), min(float(self.width_px), max(xs))
        top, bottom = max(0.0, min(ys)), min(float(self.height_px), max(ys))
        if right - left < 1.0 or bottom - top < 1.0:
            return None
        return round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)

    def then(self, matrix: Matrix) -> "Placement":
        """The same page after the image itself has been warped by a homography in pixels."""
        return Placement(self.width_px, self.height_px, matrix @ self.matrix)


def place(size_pt: tuple[float, float], skew_deg: float = 0.0, shift_px: tuple[float, float] = (0.0, 0.0)) -> Placement:
    """Place a page in an image of its own shape, turned about its middle and shifted."""
    width_pt, height_pt = size_pt
    scale = LONGEST_PX / max(size_pt)
    width_px, height_px = round(width_pt * scale), round(height_pt * scale)
    c, s = scale * math.cos(math.radians(skew_deg)), scale * math.sin(math.radians(skew_deg))
    e = width_px / 2 + shift_px[0] - c * width_pt / 2 + s * height_pt / 2
    f = height_px / 2 + shift_px[1] - s * width_pt / 2 - c * height_pt / 2
    return Placement(width_px, height_px, np.array([[c, -s, e], [s, c, f], [0.0, 0.0, 1.0]]))


def render(pdf: bytes, placement: Placement, *, colour: bool) -> Pixels:
    """Render the first page of a PDF on white at its placement."""
    form = pdfium_c.FPDFBitmap_BGR if colour else pdfium_c.FPDFBitmap_Gray
    document = pdfium.PdfDocument(pdf)
    page = document[0]
    bitmap = pdfium.PdfBitmap.new_native(placement.width_px, placement.height_px, form)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, placement.width_px, placement.height_px)
        m = placement.matrix
        matrix = pdfium_c.FS_MATRIX(m[0, 0], m[1, 0], m[0, 1], m[1, 1], m[0, 2], m[1, 2])
        clip = pdfium_c.FS_RECTF(0, 0, placement.width_px, placement.height_px)
        pdfium_c.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, pdfium_c.FPDF_ANNOT)
        pixels: Pixels = np.array(bitmap.to_numpy())
    finally:
        bitmap.close()
        page.close()
        document.close()
    if colour:
        return np.ascontiguousarray(pixels[:, :, ::-1])
    return pixels.reshape(placement.height_px, placement.width_px)
