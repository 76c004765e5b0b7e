"""Packs a program as Lambda takes it. usage: pack.py PROGRAM OUT.zip"""

import sys
import zipfile

program, out = sys.argv[1:]
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with open(program, "rb") as file:
        archive.writestr(entry, file.read())
