"""A network of numbers and categories: a made-up table, one spec, and the same reading of new rows."""

import csv
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import netspec

SPEC = Path(__file__).parent.parent / "specs" / "tabular.yaml"
WORK = ("private", "self-employed", "state", "none", "unpaid")
EDUCATION = ("school", "some college", "bachelor", "master", "doctor", "trade", "associate", "none")
STATUS = ("single", "married", "divorced", "widowed", "apart")
COUNTRY = ("Chile", "Egypt", "Fiji", "Ghana", "India", "Japan", "Kenya", "Nepal", "Peru", "Spain")


def write_table(path: Path, rows: int, seed: int, countries: tuple[str, ...] = COUNTRY) -> None:
    """People whose income depends on age, hours, education and status; some cells are empty."""
    draw = random.Random(seed)  # noqa: S311
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["age", "work", "education", "status", "gain", "hours", "country", "income"])
        for _ in range(rows):
            age, gain, hours = draw.randint(18, 80), draw.choice((0, 0, 0, 5000)), draw.randint(10, 60)
            learned = draw.randrange(len(EDUCATION))
            married = draw.random() < 0.4
            score = age / 20 + hours / 20 + 1.5 * (learned in (2, 3, 4)) + married + gain / 4000 + draw.gauss(0, 0.4)
            status = "married" if married else draw.choice((STATUS[0], *STATUS[2:]))
            known = hours if draw.random() < 0.95 else ""
            income = ">50K" if score > 5.5 else "<=50K"
            table.writerow(
                [age, draw.choice(WORK), EDUCATION[learned], status, gain, known, draw.choice(countries), income]
            )


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "adult.csv", rows=3000, seed=0)
        trained = netspec.load(SPEC).at(folder).train(folder / "run")
        print("validation accuracy", round(trained.history.records[-1]["val.accuracy"], 3))

        write_table(folder / "adult.csv", rows=500, seed=1, countries=("Japan", "Utopia"))
        run = netspec.Run.read(folder / "run", ["data.split.val=0"], root=folder)  # where new data lies
        found = run.evaluate("train")
        print("accuracy on new rows, some of a country never seen", round(found["accuracy"], 3))


if __name__ == "__main__":
    main()
