"""The workbook's formulas in a real LibreOffice: `make test-workbook`."""

import subprocess

import openpyxl

from tools.workbook import PATH


def test_libreoffice_calculates_the_same(tmp_path):
    """From the formulas alone; the cached values are gone."""
    path, results = tmp_path / "book.xlsx", tmp_path / "calculated"
    openpyxl.load_workbook(PATH).save(path)
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", "xlsx", "--outdir", results, path]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    known, calculated = (openpyxl.load_workbook(file, data_only=True) for file in (PATH, results / "book.xlsx"))
    for sheet in openpyxl.load_workbook(PATH):
        for row in sheet.iter_rows():
            for cell in row:
                if str(cell.value).startswith("="):
                    a, b = (book[sheet.title][cell.coordinate].value for book in (known, calculated))
                    assert a == b or abs(a - b) <= 1e-14, f"{sheet.title}, {cell.coordinate}"
