"""Where data that stay where they are come from: what they are called, and how their files were when they were read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from glob import glob
from os import PathLike
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Origin:
    """A name, and of files their number, size and age, by which is seen whether they have changed."""

    label: str  # in messages
    path: str = ""  # of a file or a pattern, absolute; empty for tables that are no files
    files: int = 0
    size: int = 0  # bytes
    modified: float = 0.0  # seconds since 1970, of the file that was written last

    def changed(self) -> str:
        """How the files differ from what they were, as a sentence; empty where they do not."""
        if not self.path:
            return ""
        now = origin_of_files(self.path)
        if not now.files:
            return f"{self.label} is not there any more."
        if replace(now, label=self.label) == self:
            return ""
        return f"{self.label} has changed: it was {self._described}, and is {now._described}."

    def takes(self, path: Path) -> bool:
        """Whether a file is one of these, or would be if it were there."""
        if not self.path:
            return False
        names, patterns = path.absolute().parts, Path(self.path).parts
        if "**" in patterns:
            is_named = fnmatchcase(str(path.absolute()), self.path.replace("**/", "*"))
        else:
            is_named = len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))
        return is_named or str(path.resolve()) in {str(Path(one).resolve()) for one in glob(self.path, recursive=True)}

    @property
    def _described(self) -> str:
        when = datetime.fromtimestamp(self.modified).isoformat(" ", timespec="seconds")
        return f"{self.files} file{'s' * (self.files != 1)} of {self.size} bytes, last written {when}"


def origin_of_files(path: str | PathLike[str]) -> Origin:
    """The files of a path or of a pattern such as ``year=*/part-*.parquet``."""
    whole = str(Path(path).absolute())
    found = [Path(file).stat() for file in glob(whole, recursive=True)]
    ages = [one.st_mtime for one in found]
    return Origin(f"`{path}`", whole, len(found), sum(one.st_size for one in found), max(ages, default=0.0))
