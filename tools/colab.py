"""Writes the repository's address into the notebooks and the README: `python -m tools.colab OWNER/REPO`.

Colab opens a notebook alone, so its set-up cell must know where to clone `helpers` from, and the
README's badges must know where the notebooks are. Without an argument the address is git's origin.
Running it again changes nothing; running it with another address replaces the first.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
BLOCK = re.compile(r"<!-- colab: .*?-->\n(.*?)<!-- /colab -->\n", re.DOTALL)
ADDRESS = re.compile(r'REPOSITORY, BRANCH = \\"(.*?)\\", \\"(.*?)\\"')
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")


def origin(root: Path = ROOT) -> str:
    """Returns OWNER/REPO of git's origin.

    Raises:
        ValueError: there is no origin, or it is not on GitHub.
    """
    try:
        command = ["git", "-C", root, "remote", "get-url", "origin"]
        address = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # git is not there
        address = ""
    match = re.search(r"github\.com[:/](.+?/.+?)(\.git)?/?$", address)
    if not match:
        raise ValueError("git's origin is not a repository on GitHub; say which it is: make colab REPO=owner/name")
    return match[1]


def write_address(repository: str, branch: str, root: Path = ROOT) -> list[Path]:
    """Writes the address everywhere and returns the files that it changed.

    Args:
        repository: as OWNER/REPO; empty takes the address out again.

    Raises:
        ValueError: the repository or the branch is no such name, or a place for the address is missing.
    """
    if repository and not NAME.fullmatch(repository):
        raise ValueError(f"the repository must be given as owner/name, got {repository!r}")
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", branch):
        raise ValueError(f"{branch!r} is no name of a branch")
    address = f"https://github.com/{repository}" if repository else ""
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    texts = {}
    for path in notebooks:
        line = f'REPOSITORY, BRANCH = \\\\"{address}\\\\", \\\\"{branch}\\\\"'
        texts[path], count = ADDRESS.subn(line, path.read_text(encoding="utf-8"))
        if count != 1:
            raise ValueError(f"{path.name} has {count} places for the address, it should have one")
    badges = "".join(
        f"[![Open {path.name} in Colab]({BADGE})]"
        f"(https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{path.name}) {path.name}\n\n"
        for path in notebooks
    )
    if repository:
        owner, name = repository.split("/")
        page = f"https://{owner.lower()}.github.io/{name}/demo/"
        badges += f"[Draw a digit and see every layer]({page}), once GitHub Pages are switched on for the branch\n\n"
    block = f"<!-- colab: written by make colab -->\n{badges if repository else ''}<!-- /colab -->\n"
    readme = root / "README.md"
    texts[readme], count = BLOCK.subn(block, readme.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"README.md has {count} places for the badges, it should have one")
    changed = [path for path, text in texts.items() if text != path.read_text(encoding="utf-8")]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.colab", description=__doc__)
    parser.add_argument("repository", nargs="?", metavar="OWNER/REPO", help="default: git's origin")
    parser.add_argument("--branch", default="main")
    args = parser.parse_args()
    try:
        repository = args.repository or origin()
        changed = write_address(repository, args.branch)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{repository}, branch {args.branch}: " + (", ".join(p.name for p in changed) or "nothing to change"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
