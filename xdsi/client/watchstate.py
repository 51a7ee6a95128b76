"""What a watch of an archive or a folder remembers between its looks: one small SQLite file.

A study is due when its mark is another one than at its last publication and it has been quiet for a
while. All that is lost with the file is repeated once, and finds everything unchanged.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from xdsi.config import ConfigurationError
from xdsi.model.study import StudyState
from xdsi.model.values import CX

# mark: as the archive shows the study now, GONE when it does not; done: at the last publication
# due: when to publish it, if mark and done differ; turn: of the look that saw it last
# patient: CX whose study it was, for one that is gone
_TABLES = """
CREATE TABLE IF NOT EXISTS watched (only_one INTEGER PRIMARY KEY, what TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS study (
    uid TEXT PRIMARY KEY, mark TEXT NOT NULL, done TEXT NOT NULL, due REAL NOT NULL,
    tries INTEGER NOT NULL, turn INTEGER NOT NULL, patient TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS study_due ON study (due) WHERE mark <> done;
CREATE TABLE IF NOT EXISTS file (
    path BLOB PRIMARY KEY, stamp INTEGER NOT NULL, changed REAL NOT NULL, turn INTEGER NOT NULL,
    study TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS file_study ON file (study);
"""
GONE = "gone"
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0


class Due(NamedTuple):
    """A study to be published. patient: None where it never was."""

    study: str
    mark: str
    patient: CX | None


class FileSeen(NamedTuple):
    """A file of a watched folder. stamp: another one when it changed; changed: when."""

    path: bytes
    stamp: int
    changed: float


class State:
    """What is known of studies and, where a folder is watched, of its files."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @contextmanager
    def look(self) -> Iterator[int]:
        """One look at all or some studies, remembered as a whole; gives its number."""
        with self._database:
            row = self._database.execute(
                "SELECT max(coalesce((SELECT max(turn) FROM study), 0),"
                " coalesce((SELECT max(turn) FROM file), 0))"
            ).fetchone()
            yield row[0] + 1

    def saw(self, study: StudyState, turn: int, now: float, settle: float) -> None:
        """A study as it stands. settle: seconds for which it must not have changed."""
        changed = now if study.changed is None else min(study.changed, now)
        self._database.execute(
            "INSERT INTO study VALUES (:uid, :mark, '', :due, 0, :turn, '')"
            " ON CONFLICT (uid) DO UPDATE SET turn = :turn, mark = :mark,"
            " due = CASE WHEN mark = :mark THEN due ELSE :due END,"
            " tries = CASE WHEN mark = :mark THEN tries ELSE 0 END",
            {"uid": study.study_instance_uid, "mark": study.mark, "due": changed + settle,
             "turn": turn},
        )  # fmt: skip

    def missed(self, turn: int, now: float, settle: float) -> bool:
        """After a look at all studies: those it has not seen are gone.

        False, and nothing is noted, when it has seen none at all, as of a disk that is not there.
        """
        if not self._database.execute("SELECT 1 FROM study WHERE turn = ?", (turn,)).fetchone():
            known = self._database.execute("SELECT 1 FROM study WHERE mark <> ?", (GONE,))
            return known.fetchone() is None
        self._database.execute(
            "UPDATE study SET mark = :gone, due = :due, tries = 0 WHERE turn < :turn"
            " AND mark <> :gone",
            {"gone": GONE, "due": now + settle, "turn": turn},
        )
        return True

    def next_due(self, now: float) -> Due | None:
        """The study that is due for longest."""
        row = self._database.execute(
            "SELECT uid, mark, patient FROM study WHERE mark <> done AND due <= ? "
            "ORDER BY due LIMIT 1",
            (now,),
        ).fetchone()
        return None if row is None else Due(row[0], row[1], CX(row[2]) if row[2] else None)

    def done(self, due: Due, patient: CX | None) -> None:
        """It is published as it stood when it was due; one that is gone is forgotten."""
        with self._database:
            self._database.execute(
                "UPDATE study SET done = ?, tries = 0, patient = coalesce(?, patient)"
                " WHERE uid = ?",
                (due.mark, None if patient is None else str(patient), due.study),
            )
            self._database.execute("DELETE FROM study WHERE mark = ? AND done = ?", (GONE, GONE))

    def failed(self, due: Due, now: float) -> float:
        """Seconds after which it is tried again, twice as many each time."""
        with self._database:
            (tries,) = self._database.execute(
                "UPDATE study SET tries = tries + 1 WHERE uid = ? RETURNING tries", (due.study,)
            ).fetchone()
            pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(tries - 1, 20))
            self._database.execute(
                "UPDATE study SET due = ? WHERE uid = ?", (now + pause, due.study)
            )
        return pause

    # files of a folder

    def knows_file(self, file: FileSeen, turn: int) -> bool:
        """Whether a file is as it was; it is then noted as seen."""
        cursor = self._database.execute(
            "UPDATE file SET turn = ? WHERE path = ? AND stamp = ?", (turn, file.path, file.stamp)
        )
        return cursor.rowcount == 1

    def keep_file(self, path: bytes, turn: int) -> None:
        """A file that is there and cannot be read."""
        self._database.execute("UPDATE file SET turn = ? WHERE path = ?", (turn, path))

    def note_file(self, file: FileSeen, turn: int, study: str) -> None:
        """A new or changed file. study: "" for one that is of none."""
        self._database.execute(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", (*file, turn, study)
        )

    def studies_of_files(self, turn: int) -> Iterator[StudyState]:
        """The studies that the files seen make up; the others are forgotten."""
        self._database.execute("DELETE FROM file WHERE turn < ?", (turn,))
        for uid, count, stamps, changed in self._database.execute(
            "SELECT study, count(*), sum(stamp), max(changed) FROM file WHERE study <> ''"
            " GROUP BY study"
        ):
            yield StudyState(uid, f"{count}/{stamps}", changed)

    def files(self, study: str) -> list[Path]:
        rows = self._database.execute("SELECT path FROM file WHERE study = ? ORDER BY 1", (study,))
        return [Path(os.fsdecode(path)) for (path,) in rows]


@contextmanager
def opened(path: Path, what: str) -> Iterator[State]:
    """The state in a file, made if there is none. what: the archive or folder it is of.

    Raises ConfigurationError for a file that is of something else or no state at all.
    """
    try:
        # it names patients
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(path, timeout=30)) as database:
            with database:
                database.executescript(_TABLES)
                database.execute("INSERT OR IGNORE INTO watched VALUES (1, ?)", (what,))
            ((found,),) = database.execute("SELECT what FROM watched").fetchall()
            if found != what:
                raise ConfigurationError(
                    f"{path} is the state of watching {found}; give another --state"
                )
            yield State(database)
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: {error}; give another --state") from error
