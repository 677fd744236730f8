"""Makes `cdnow.csv.gz` from the original `CDNOW_master.txt`: the same purchases, with integer cents, in 0.4 MB.

    python scripts/data/compact_cdnow.py CDNOW_master.txt

Source: http://www.brucehardie.com/datasets/CDNOW_full.zip. The result is the same byte for byte each time.
"""

import gzip
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

TARGET = Path(__file__).with_name("cdnow.csv.gz")
HEADER = "customer,date,cds,cents"


def compact(line: str) -> str:
    """` 00001 19970101  1   11.77` → `1,1997-01-01,1,1177`."""
    customer, day, cds, dollars = line.split()
    cents = Decimal(dollars) * 100
    if cents != int(cents):
        raise ValueError(f"more than two decimals: {line!r}")
    return f"{int(customer)},{datetime.strptime(day, '%Y%m%d'):%Y-%m-%d},{int(cds)},{int(cents)}"


def main(source: Path) -> None:
    rows = [compact(line) for line in source.read_text(encoding="ascii").splitlines() if line.strip()[:1].isdigit()]
    text = "\n".join([HEADER, *rows]) + "\n"
    # No name and no time in the archive: the same input gives the same file.
    TARGET.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))
    print(f"{TARGET}: {len(rows):,} purchases, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
