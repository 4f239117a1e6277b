"""Scores pictures of digits that people took: `python -m measure.picture_folder FOLDER`, in which labels.csv lies.

labels.csv has the columns `file` and `label`, and perhaps `kind`, by which the pictures are counted then.
"""

import argparse
from collections import Counter
from pathlib import Path

from helpers.beyond.recipes import ALL_RECIPES
from helpers.own_digit.photo import is_doubtful, predict_photo, read_photo
from measure.tables import read_csv
from measure.weights import trained


def score(folder: Path, name: str) -> tuple[Counter, Counter, Counter, list[str]]:
    """Returns by kind how many pictures there are, are read correctly, and are flagged though correct; and the errors.

    Raises:
        ValueError: the folder has no labels.csv with the columns `file` and `label`.
    """
    path = folder / "labels.csv"
    if not path.is_file():
        raise ValueError(f"{path} is missing: it names each picture and its digit, in the columns file and label")
    rows = [{name.lower(): cell for name, cell in row.items()} for row in read_csv(path, ["label"])]
    if not rows or not {"file", "label"} <= rows[0].keys():
        found = f"it has {', '.join(rows[0])}" if rows else "it has no rows"
        raise ValueError(f"{path} must have the columns file and label, and a row for each picture; {found}")
    for row in rows:
        if not row["label"] or float(row["label"]) not in range(10):
            raise ValueError(
                f"{path}: the label of {row['file'] or 'a row without a file'} is {row['label']!r}, no digit"
            )
    network, mean, std = trained(name)
    total, right, doubtful, errors = Counter(), Counter(), Counter(), []
    for row in rows:
        kind = row.get("kind") or "all"
        total[kind] += 1
        try:
            image, notes = read_photo(folder / row["file"].replace("\\", "/"))
        except (ValueError, OSError) as error:
            errors.append(f"{row['file']}: {error}")
            continue
        probabilities = predict_photo(network, image, mean, std)
        digit, sure = int(probabilities.argmax()), float(probabilities.max())
        if digit == float(row["label"]):
            right[kind] += 1
            doubtful[kind] += is_doubtful(probabilities, notes)
        else:
            errors.append(" ".join([f"{row['file']}: {row['label']} read as {digit}, {sure:.0%} sure.", *notes]))
    return total, right, doubtful, errors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measure.picture_folder", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", choices=ALL_RECIPES, default="own_digits", help="whose recorded weights read them")
    args = parser.parse_args()
    try:
        total, right, doubtful, errors = score(args.folder, args.recipe)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    for kind in total:
        print(f"{kind:30} {right[kind]:4} of {total[kind]:4}, {doubtful[kind]} of them flagged")
    print(f"{'in all':30} {right.total():4} of {total.total():4}, {doubtful.total()} of them flagged\n")
    print(*errors, sep="\n")


if __name__ == "__main__":
    main()
